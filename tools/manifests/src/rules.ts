import { disruptionRule, networkPolicyRule, serviceRule } from './network-rules.ts';
import {
  environmentRule,
  folderRule,
  gracePeriodRule,
  imageRule,
  portRule,
  privilegeRule,
  probeRule,
  sharedSettingsRule,
  type Rule,
} from './pod-rules.ts';

/** What manifests must agree with, beside their schemas. */
export const RULES: readonly Rule[] = [
  environmentRule,
  sharedSettingsRule,
  portRule,
  probeRule,
  gracePeriodRule,
  imageRule,
  privilegeRule,
  folderRule,
  serviceRule,
  networkPolicyRule,
  disruptionRule,
];
