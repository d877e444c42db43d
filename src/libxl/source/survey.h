/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What the source finds out about a guest before a migration: the guest's exact configuration, as libxl has it; facts
 * about the guest's resources for the destination; and what this host's checks of the resources have found. Begin and a
 * mere check use the same survey.
 *
 * Domain XML cannot express everything that libxl can, and a guest that xl started may use all of it; between two
 * xenferry daemons nothing is lost.
 */
#pragma once

#include "libxl/guest/guest.h"
#include "libxl/migrate/params.h"
#include "libxl/resource/resource.h"

typedef struct XfSurvey XfSurvey;

typedef struct {
  char *config; /* the exact configuration, in libxl's JSON, with the changes of --xml; NULL: libxl cannot read it */
  char *unsaid; /* the parts of it that domain XML cannot express, for messages; NULL: none */
  GHashTable *facts;         /* name -> value */
  char *warnings;            /* of the checks; NULL: none */
  const GPtrArray *findings; /* all of them, of XfFinding */
} XfSurveyResult;

/* @result belongs to the survey; with an @error too, which names what blocks, as far as the survey got. */
typedef void (*XfSurveyDone) (const XfSurveyResult *result, const GError *error, gpointer data);

/* Surveys @guest, which runs, for the migration @id (NULL: a mere check) to @host; @xml: the guest for the destination.
 * @done is called once, from the loop. */
XfSurvey *xf_survey_new (XfDriver *driver, const XfGuest *guest, const char *id, const char *host, const char *xml,
                         const XfMigrateParams *params, XfSurveyDone done, gpointer data);

/* Any time, also within @done, which is not called any more. NULL is allowed. */
void xf_survey_free (XfSurvey *survey);
