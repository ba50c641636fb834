// Asks a service in the same container what a platform's probe would ask, for platforms that run a command instead:
// `node /app/probe.mjs readiness`. Exit code 0 for SERVING. Where it asks: LUNASTREAM_PROBE_LISTEN.
import { credentials, makeClientConstructor } from '@grpc/grpc-js';
import { service } from 'grpc-health-check';

const TIMEOUT_MS = 5000;
const [probe] = process.argv.slice(2);
const port = /:(\d+)$/.exec(process.env.LUNASTREAM_PROBE_LISTEN ?? '')?.[1];
if (probe === undefined || port === undefined) {
  process.stderr.write(
    `Cannot probe: a probe and LUNASTREAM_PROBE_LISTEN must be given, got ${probe} and ${port}\n`,
  );
  process.exit(2);
}
const Health = makeClientConstructor(service, 'Health');
const client = new Health(`127.0.0.1:${port}`, credentials.createInsecure());
client.check({ service: probe }, { deadline: new Date(Date.now() + TIMEOUT_MS) }, (error, answer) => {
  client.close();
  process.stdout.write(`${error?.message ?? answer.status}\n`);
  process.exitCode = answer?.status === 'SERVING' ? 0 : 1;
});
