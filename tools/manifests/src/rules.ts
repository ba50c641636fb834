import { autoscalingRule } from './autoscaling-rules.ts';
import { dashboardRule, monitorRule, policyTargetRule } from './monitor-rules.ts';
import { disruptionRule, networkPolicyRule, serviceRule } from './network-rules.ts';
import {
  configMapRule,
  environmentRule,
  folderRule,
  gpuRule,
  gracePeriodRule,
  imageRule,
  mountedFileRule,
  pinnedImageRule,
  portRule,
  privilegeRule,
  probeRule,
  type Rule,
} from './pod-rules.ts';

/** What manifests must agree with, beside their schemas. */
export const RULES: readonly Rule[] = [
  environmentRule,
  portRule,
  probeRule,
  gracePeriodRule,
  imageRule,
  pinnedImageRule,
  gpuRule,
  privilegeRule,
  folderRule,
  mountedFileRule,
  configMapRule,
  serviceRule,
  networkPolicyRule,
  policyTargetRule,
  monitorRule,
  dashboardRule,
  disruptionRule,
  autoscalingRule,
];
