import { Option, type Command } from 'commander';
import {
  compileConfig,
  ConnectionSecurity,
  securitySettings,
  type Environment,
} from '@lunastream/service-kit';

/** Flags of every command that talks to a trainer or starts services; each stands for a setting of that name. */
export interface ConnectionOptions {
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly tlsCa?: string;
  readonly tokenFile?: string;
  readonly insecure?: true;
}

/** Adds the flags that say how connections are secured. */
export function addConnectionOptions(command: Command): Command {
  return command
    .optionsGroup('Security:')
    .option('--tls-cert <file>', 'PEM certificate to show (LUNASTREAM_TLS_CERT)')
    .option('--tls-key <file>', 'PEM private key of it (LUNASTREAM_TLS_KEY)')
    .option('--tls-ca <file>', 'PEM certificates of the authorities to trust (LUNASTREAM_TLS_CA)')
    .option('--token-file <file>', 'file of the token to start or stop runs with (LUNASTREAM_TOKEN_FILE)')
    .addOption(
      new Option('--insecure', 'connect without TLS beyond this machine (LUNASTREAM_INSECURE=true)'),
    );
}

/** The environment with the flags in place of the settings they stand for: what started services get, too. */
export function securedEnvironment(options: ConnectionOptions, environment: Environment): Environment {
  const { tlsCert, tlsKey, tlsCa, tokenFile, insecure } = options;
  return {
    ...environment,
    ...(tlsCert === undefined ? {} : { LUNASTREAM_TLS_CERT: tlsCert }),
    ...(tlsKey === undefined ? {} : { LUNASTREAM_TLS_KEY: tlsKey }),
    ...(tlsCa === undefined ? {} : { LUNASTREAM_TLS_CA: tlsCa }),
    // The flag is for this call: it goes before a token that the environment holds for all.
    ...(tokenFile === undefined ? {} : { LUNASTREAM_TOKEN_FILE: tokenFile, LUNASTREAM_TOKEN: undefined }),
    ...(insecure === undefined ? {} : { LUNASTREAM_INSECURE: 'true' }),
  };
}

/** How this process connects. @throws ConfigError, TlsFileError, TokenFileError naming the setting or file. */
export function openSecurity(options: ConnectionOptions, environment: Environment): ConnectionSecurity {
  return ConnectionSecurity.open(compileConfig(securitySettings, securedEnvironment(options, environment)));
}
