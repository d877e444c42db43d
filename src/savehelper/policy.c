/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "savehelper/policy.h"

uint64_t
xf_policy_expected_ms (uint64_t pages, uint64_t rate)
{
  const uint64_t most_pages = (UINT64_MAX - rate) / (1000 * XF_POLICY_PAGE_SIZE);

  if (pages == 0)
    return 0;
  if (rate == 0 || pages > most_pages)
    return UINT64_MAX;
  return (pages * XF_POLICY_PAGE_SIZE * 1000 + rate - 1) / rate;
}

XfPolicyDecision
xf_policy_before_pass (XfPolicy *policy, const XfPolicyLimits *limits, uint32_t passes, uint64_t dirty)
{
  policy->pass_pages = dirty;
  if (limits->downtime_ms)
    return XF_POLICY_CONTINUE;
  return dirty < XF_POLICY_FEW_PAGES || passes >= XF_POLICY_OWN_PASSES ? XF_POLICY_STOP : XF_POLICY_CONTINUE;
}

/* The goal is reached, but another pass costs little: a limit that is easily kept does not make the guest wait longer
 * than it would without a limit. */
static bool
still_shrinks (const XfPolicy *policy, uint32_t passes, uint64_t left)
{
  return passes < XF_POLICY_OWN_PASSES && left >= XF_POLICY_FEW_PAGES && left < policy->pass_pages / 2;
}

XfPolicyDecision
xf_policy_after_pass (XfPolicy *policy, const XfPolicyLimits *limits, uint32_t passes, int64_t left)
{
  uint64_t pages = left >= 0 ? (uint64_t)left : policy->pass_pages;

  policy->expected_ms = xf_policy_expected_ms (pages, limits->rate);
  if (!limits->downtime_ms)
    return passes >= XF_POLICY_OWN_PASSES ? XF_POLICY_STOP : XF_POLICY_CONTINUE;
  if (policy->expected_ms <= limits->downtime_ms)
    return passes < limits->passes && still_shrinks (policy, passes, pages) ? XF_POLICY_CONTINUE : XF_POLICY_STOP;
  if (passes < limits->passes)
    return XF_POLICY_CONTINUE;
  return limits->abort ? XF_POLICY_ABORT : XF_POLICY_STOP;
}
