import { monitorRule, policyTargetRule } from './monitor-rules.ts';
import { disruptionRule, networkPolicyRule, serviceRule } from './network-rules.ts';
import {
  configMapRule,
  environmentRule,
  folderRule,
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
  privilegeRule,
  folderRule,
  mountedFileRule,
  configMapRule,
  serviceRule,
  networkPolicyRule,
  policyTargetRule,
  monitorRule,
  disruptionRule,
];
