import { fileURLToPath } from 'node:url';
import { CONSUMER_HEADINGS, consumerRows } from './gpu-consumer.ts';
import { readScalingRules } from './scaling-rules.ts';
import { formatTable, HEADINGS, scalingRows } from './scaling-table.ts';

const rules = readScalingRules(
  fileURLToPath(new URL('../../../../deploy/k8s/components/keda/scaled-object.yaml', import.meta.url)),
);
process.stdout.write(formatTable(HEADINGS, scalingRows(rules)));
process.stdout.write(`\n${formatTable(CONSUMER_HEADINGS, consumerRows(rules.headroom))}`);
