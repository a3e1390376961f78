import { messageOf, OncekeyError, OptionsError } from '@oncekey/core'
import { sqlState } from '@oncekey/postgres/client'
import { CliError } from './cli-error.ts'
import { ExitCode } from './exit-code.ts'

/** One sentence that says what went wrong and what to do, and the exit code. */
export function sentenceOf(
  error: unknown,
  names: { readonly postgres: string | undefined; readonly redis: string | undefined },
): { readonly text: string; readonly exitCode: ExitCode } {
  if (error instanceof CliError) return { text: error.message, exitCode: error.exitCode }
  if (error instanceof OptionsError) {
    return { text: inOptions(error.message), exitCode: ExitCode.usage }
  }

  const causes = chainOf(error)
  const state = causes.map(sqlState).find((each) => each !== undefined)
  const known = state === undefined ? undefined : ofState(state, causes, names.postgres)
  if (known !== undefined) return known

  const isRedis = causes.some((cause) => cause instanceof Error && /redis/i.test(cause.message))
  const ofRedis = names.postgres === undefined || (isRedis && names.redis !== undefined)
  const [what, name, option] = ofRedis
    ? ['Redis', names.redis, '--redis']
    : ['PostgreSQL', names.postgres, '--database']
  const network = [...causes.map(codeFault), ...causes.map(wordsFault)].find(
    (each) => each !== undefined,
  )
  const tls = causes.map(messageOf).find((message) => TLS.test(message))
  if (tls !== undefined || network !== undefined) {
    const advice = tls === undefined ? undefined : tlsAdvice(tls, ofRedis)
    const disagreed = 'could not agree on TLS with this client'
    const how = advice === undefined ? (network ?? disagreed) : disagreed
    const said = tls === undefined ? '' : ` (${tls.replace(/\.$/, '')})`
    const check = `check that it runs, and that ${option} names it`
    return {
      text: `${what} at ${name} ${how}${said}: ${advice ?? check}.`,
      exitCode: ExitCode.unreachable,
    }
  }
  if (error instanceof OncekeyError) {
    const isAway = AWAY.has(error.code)
    return { text: error.message, exitCode: isAway ? ExitCode.unreachable : ExitCode.found }
  }
  return { text: messageOf(error), exitCode: ExitCode.found }
}

/** What to do about an error of TLS, if its words tell. */
function tlsAdvice(said: string, ofRedis: boolean): string | undefined {
  if (said.includes('does not support SSL')) {
    return 'take sslmode out of the URL, or have the server offer TLS'
  }
  if (!/self.signed|unable to (verify|get)/i.test(said)) return undefined
  const places = `${ofRedis ? '' : 'sslrootcert of the URL, or in '}NODE_EXTRA_CA_CERTS`
  return `name the authority of its certificate in ${places}`
}

/**
 * Replaces the names of options of the packages, which their messages contain, by options of the
 * command line.
 */
function inOptions(message: string): string {
  if (/`after` must be|^(after|before): /.test(message)) {
    return '--page must be what the page before of the same list ended with.'
  }
  return message.replace(/^endpointId: /, '--endpoint: ').replace(/^eventId: /, '--event: ')
}

function chainOf(error: unknown): unknown[] {
  const chain: unknown[] = []
  for (let each = error; each !== undefined && chain.length < 8; ) {
    chain.push(each)
    // Connecting to `localhost` tries two addresses, whose errors come as one AggregateError.
    each = each instanceof AggregateError ? each.errors[0] : (each as { cause?: unknown })?.cause
  }
  return chain
}

function ofState(state: string, causes: readonly unknown[], name: string | undefined) {
  const said = causes.map((cause) => (cause as Error)?.message).findLast(Boolean) ?? ''
  const found = ExitCode.found
  const unreachable = ExitCode.unreachable
  if (state === '42501') {
    return {
      text: `The role may not do that (${said}): oncekey grants prints what it needs.`,
      exitCode: found,
    }
  }
  if (NOT_THERE.has(state)) {
    return {
      text: `A part of the schema is missing (${said}): run oncekey migrate, or oncekey doctor to see what.`,
      exitCode: found,
    }
  }
  if (state === '25006') {
    return {
      text: `PostgreSQL at ${name} takes no writes, it is a standby or read-only: name its primary in --database.`,
      exitCode: found,
    }
  }
  if (state === '57014') {
    return {
      text: `PostgreSQL at ${name} stopped the statement before it had an answer (${said}): try again, or ask for less with --limit.`,
      exitCode: unreachable,
    }
  }
  if (state.startsWith('28') || state === '3D000') {
    return {
      text: `PostgreSQL at ${name} did not let this login in (${said}): check user, password and database in --database.`,
      exitCode: unreachable,
    }
  }
  if (state.startsWith('08') || state.startsWith('53') || state.startsWith('57')) {
    return {
      text: `PostgreSQL at ${name} takes no connection now (${said}): try again when it does.`,
      exitCode: unreachable,
    }
  }
  return undefined
}

function codeFault(error: unknown): string | undefined {
  return NETWORK[(error as { code?: string })?.code ?? '']
}

function wordsFault(error: unknown): string | undefined {
  const { message = '' } = (error ?? {}) as { message?: string }
  return WORDS.find(([pattern]) => pattern.test(message))?.[1]
}

const NETWORK: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'refuses connections',
  ECONNRESET: 'ended the connection',
  EPIPE: 'ended the connection',
  ENOTFOUND: 'has a name that nobody knows',
  EAI_AGAIN: 'has a name that could not be looked up',
  ETIMEDOUT: 'did not answer in time',
  EHOSTUNREACH: 'cannot be reached from here',
  ENETUNREACH: 'cannot be reached from here',
  ENOENT: 'has no socket there',
  EACCES: 'has a socket that may not be used',
}

const WORDS: readonly (readonly [RegExp, string])[] = [
  [/timeout|timed out|did not answer/i, 'did not answer in time'],
  [/connection terminated|connection is closed|server closed/i, 'ended the connection'],
  [/WRONGPASS|NOAUTH|NOPERM/, 'did not let this login in'],
  [/MaxRetriesPerRequest|max retries per request/i, 'cannot be reached'],
]

const TLS = /certificate|\b(SSL|TLS)\b/i

const NOT_THERE = new Set(['42P01', '42703', '42883', '3F000'])
const AWAY = new Set(['store-unavailable', 'store-busy', 'log-restored'])
