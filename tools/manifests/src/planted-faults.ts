/** A change of rendered manifests' text, and what must be said of it. */
export type Planted = readonly [name: string, pattern: RegExp, replacement: string, fault: RegExp];

/** Changes of the local overlay's text that schemas must refuse, and by which words. */
export const PLANTED_IN_FIELDS: readonly Planted[] = [
  [
    'a field that Kubernetes does not know',
    /terminationGracePeriodSeconds: 60/,
    'terminationGraceSeconds: 60',
    /terminationGraceSeconds/,
  ],
  ['a number that is text', /replicas: 1/, 'replicas: "many"', /replicas|integer|number/],
];

/** And those that rules must refuse. */
export const PLANTED: readonly Planted[] = [
  [
    'a variable that is no setting',
    /AUGMENTATION_THREADS/,
    'AUGMENTATION_THREAD_COUNT',
    /AUGMENTATION_THREAD_COUNT must be a setting of augmentation/,
  ],
  [
    'a shared variable that is no setting',
    /LUNASTREAM_DRAIN_TIMEOUT_MS:/,
    'LUNASTREAM_DRAIN_TIME:',
    /LUNASTREAM_DRAIN_TIME must be a setting of augmentation/,
  ],
  ['another port than the settings', /0\.0\.0\.0:50052/, '0.0.0.0:50062', /port 50062 must be declared/],
  [
    'a probe that asks for another',
    /service: liveness/,
    'service: readiness',
    /liveness probe must ask for liveness, got readiness/,
  ],
  ['a probe on another port', /port: 50050/, 'port: 50051', /probe must ask on port 50050, got 50051/],
  [
    'a grace period that is shorter than the drain',
    /terminationGracePeriodSeconds: 60/,
    'terminationGracePeriodSeconds: 45',
    /terminationGracePeriodSeconds must be at least 50, got 45/,
  ],
  [
    'an image that nobody builds',
    /lunastream\/augmentation:dev/,
    'lunastream/augment:dev',
    /must be one that deploy\/images builds/,
  ],
  [
    'an image that may change',
    /lunastream\/augmentation:dev/,
    'lunastream/augmentation:latest',
    /must have the tag .*, got latest/,
  ],
  [
    'a root file system that can be written',
    /readOnlyRootFilesystem: true/,
    'readOnlyRootFilesystem: false',
    /readOnlyRootFilesystem must be true/,
  ],
  ['root', /runAsNonRoot: true/, 'runAsNonRoot: false', /runAsNonRoot must be true/],
  [
    "the cluster's token",
    /automountServiceAccountToken: false\n {6}containers/,
    'automountServiceAccountToken: true\n      containers',
    /automountServiceAccountToken must be false/,
  ],
  [
    'a folder outside volumes',
    /(CHUNK_CACHE_STORE_FOLDER\n +value: )\S+/,
    '$1/chunks',
    /CHUNK_CACHE_STORE_FOLDER must be a writable volume, got \/chunks/,
  ],
  [
    'an address that is no Service',
    /chunk-cache:50051/,
    'chunk-store:50051',
    /must name a Service and its port, got chunk-store:50051/,
  ],
  [
    'a Service without a port behind it',
    /targetPort: grpc/,
    'targetPort: rpc',
    /port grpc must be a port of the pods that it selects/,
  ],
  [
    'a call that no policy allows',
    /- port: 50051\n/,
    '- port: 50059\n',
    /must be allowed .* settings make that call/,
  ],
  [
    'a call that nobody makes',
    /lunastream\/client: "true"/,
    'lunastream/role: augmentation',
    /must not be allowed from augmentation on 50053/,
  ],
  [
    'a budget of nobody',
    /maxUnavailable: 50%\n {2}selector:\n {4}matchLabels:\n {6}app\.kubernetes\.io\/name: augmentation/,
    'maxUnavailable: 50%\n  selector:\n    matchLabels:\n      app.kubernetes.io/name: worker',
    /PodDisruptionBudget augmentation must select a workload/,
  ],
  ['a budget that lets nobody go', /maxUnavailable: 50%/, 'maxUnavailable: 0', /must let a pod go/],
];

/** And what they must refuse of all components together. */
export const PLANTED_IN_COMPONENTS: readonly Planted[] = [
  [
    'certificates that no volume has',
    /mountPath: \/etc\/lunastream\/tls\n/,
    'mountPath: /etc/lunastream/keys\n',
    /LUNASTREAM_TLS_CERT must be in a volume, got \/etc\/lunastream\/tls\/tls\.crt/,
  ],
  [
    'data that no volume has',
    /s3:\/\/luna16/,
    '/data',
    /CHUNK_CACHE_DATASETS must be in a volume, got \/data/,
  ],
  [
    'a folder that is not set, where the default cannot be written',
    /- name: CHUNK_CACHE_COPY_FOLDER\n +value: \S+\n/,
    '',
    /CHUNK_CACHE_COPY_FOLDER must be a writable volume, got none/,
  ],
  [
    'one pod of many',
    /dns:\/\/\/chunk-cache:50051/,
    'chunk-cache:50051',
    /AUGMENTATION_CHUNK_CACHE_ADDRESS must be dns:\/\/\/chunk-cache:50051 to use every pod/,
  ],
  [
    'a shared store that is no Service',
    /redis:\/\/valkey:6379/,
    'redis://redis:6379',
    /CHUNK_CACHE_SHARED_STORE must name a Service and its port, got redis:6379/,
  ],
  [
    'a shared store that caches may not call',
    /- port: 6379\n/,
    '- port: 6380\n',
    /egress of chunk-cache must be allowed to valkey on 6379/,
  ],
  [
    "another program's image that may change",
    /valkey\/valkey:[\d.]+/,
    'valkey/valkey:8',
    /image valkey\/valkey:8 must have a whole version as its tag/,
  ],
  [
    "another version of another program's image than the Compose file has",
    /valkey\/valkey:[\d.]+/,
    'valkey/valkey:7.2.5',
    /image valkey\/valkey:7\.2\.5 must be [\d.]+, as in deploy\/compose\.yaml/,
  ],
  [
    'a program that the Compose file has not',
    /valkey\/valkey:/,
    'library/redis:',
    /image library\/redis:[\d.]+ must be unused, as in deploy\/compose\.yaml/,
  ],
  [
    'a GPU for an image that cannot use it',
    /lunastream\/trainer-webgpu:/,
    'lunastream/trainer:',
    /a GPU needs an image of trainer-webgpu, trainer-tensorflow, got trainer/,
  ],
  [
    'an image for a GPU without one',
    /nvidia\.com\/gpu: 1\n/,
    'nvidia.com/mig: 1\n',
    /image trainer-webgpu must be given a GPU/,
  ],
  [
    "a GPU's node that takes no such pod",
    /key: nvidia\.com\/gpu/,
    'key: gpu',
    /a GPU's node must be tolerated/,
  ],
  [
    'a dashboard that was changed by hand',
    /"uid": "lunastream-training"/,
    '"uid": "lunastream-trained"',
    /dashboard lunastream-training\.json must be in a ConfigMap for Grafana as it was generated/,
  ],
  [
    'a dashboard that Grafana does not get',
    /lunastream-services\.json:/,
    'lunastream-service.json:',
    /dashboard lunastream-services\.json must be in a ConfigMap/,
  ],
  [
    'a ConfigMap that is not there',
    /configMap:\n( +)name: otel-collector-\w+/,
    'configMap:\n$1name: otel-collector',
    /ConfigMap otel-collector must be there/,
  ],
  [
    'a job that no alert asks for',
    /jobLabel: app\.kubernetes\.io\/part-of\n {2}selector/,
    'jobLabel: app.kubernetes.io/name\n  selector',
    /must be scraped as job lunastream, got/,
  ],
  [
    'a trainer that nobody scrapes',
    /podMetricsEndpoints:\n( +- interval: 15s\n +)port: metrics/,
    'podMetricsEndpoints:\n$1port: prometheus',
    /Job run: must be scraped by one monitor, got 0/,
  ],
  [
    'metrics that Prometheus may not ask for',
    /- port: metrics\n( +)podSelector/,
    '- port: grpc\n$1podSelector',
    /must be open to Prometheus, no NetworkPolicy allows it/,
  ],
  [
    'a policy for nobody',
    /(name: otel-collector-clients[^]*?)- augmentation\n[^]*?- trainer\n/,
    '$1- worker\n',
    /NetworkPolicy otel-collector-clients must select a workload/,
  ],
];

/** Of all components with KEDA in place of the autoscaler: fields that the schemas of others must refuse. */
export const PLANTED_IN_FOREIGN_FIELDS: readonly Planted[] = [
  ["a field that KEDA's schema does not know", /pollingInterval: 15/, 'pollInterval: 15', /pollInterval/],
  [
    "a number that is text, of KEDA's",
    /maxReplicaCount: 64/,
    'maxReplicaCount: many',
    /ScaledObject .*integer/,
  ],
  [
    "a field that the Prometheus operator's schema does not know",
    /(kind: ServiceMonitor[^]*?)jobLabel:/,
    '$1jobsLabel:',
    /ServiceMonitor .*jobsLabel/,
  ],
  [
    "a field that cert-manager's schema does not know",
    /secretName: lunastream-ca/,
    'secret: lunastream-ca',
    /secret/,
  ],
];

/** And what rules must refuse of them. */
export const PLANTED_IN_AUTOSCALING: readonly Planted[] = [
  [
    'no value for no demand',
    /ignoreNullValues: "false"/,
    'ignoreNullValues: "true"',
    /ScaledObject augmentation must not take no value for no demand/,
  ],
  ['no fallback', /fallback:\n/, 'fallbacks:\n', /ScaledObject augmentation must have a fallback/],
  [
    'workers that leave at once',
    /stabilizationWindowSeconds: 300/,
    'stabilizationWindowSeconds: 15',
    /ScaledObject augmentation must wait 300 s before it scales down/,
  ],
  [
    'an autoscaler of nobody',
    /(scaleTargetRef:\n +name: )augmentation/,
    '$1workers',
    /ScaledObject augmentation must scale a Deployment, got workers/,
  ],
];
