import { fileURLToPath } from 'node:url';
import { readScalingRules } from './scaling-rules.ts';
import { formatScalingTable, scalingRows } from './scaling-table.ts';

const rules = readScalingRules(
  fileURLToPath(new URL('../../../../deploy/k8s/components/keda/scaled-object.yaml', import.meta.url)),
);
process.stdout.write(formatScalingTable(scalingRows(rules)));
