export { startFileServer, startS3Server, type FileServer } from './file-servers.ts';
export { readGolden, workspaceRoot } from './golden-files.ts';
export { goldenVolume, GOLDEN_SHAPE, SMALL_GOLDEN_SHAPE, smallGoldenVolume } from './golden-volumes.ts';
export { freePort, hasRedisServer, RedisServer, withRedisServer } from './redis-server.ts';
export { sharedDataPath } from './shared-data.ts';
export { withTemporaryFolder } from './temporary-folder.ts';
