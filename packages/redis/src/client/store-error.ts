import { OncekeyError } from '@oncekey/core'

/** An error of Redis with advice on what to do; the client's own error is the cause. */
export function storeError(
  code: 'store-unavailable' | 'commit-failed',
  error: unknown,
): OncekeyError {
  const cause = withoutArguments(error)
  const text = cause instanceof Error ? cause.message : String(cause)
  const hint = HINTS.find(([pattern]) => pattern.test(text))?.[1]
  const detail = hint === undefined ? text : `${hint} (${text})`
  return code === 'store-unavailable'
    ? new OncekeyError(code, `Redis could not be asked: ${detail}`, { cause })
    : new OncekeyError(code, `Redis did not confirm that the response is stored: ${detail}`, {
        cause,
      })
}

/**
 * Whether Redis itself refused the command, so that nothing of it was carried out. That is known of
 * its own codes only. A proxy answers as well if a server has not answered it, which may have
 * carried the command out (`upstream failure` of Envoy), and `ERR` can come from the middle of a
 * script.
 */
export function isRefusal(error: unknown): boolean {
  return isErrorReply(error) && REFUSALS.some((pattern) => pattern.test(error.message))
}

/** Whether a server, or a proxy before it, has replied with this error. */
export function isErrorReply(error: unknown): error is Error {
  return error instanceof Error && error.name === 'ReplyError'
}

/**
 * Whether the error tells of a reply, readable or not. After any other the client may still have
 * the command, although it has rejected it: ioredis with `commandTimeout` has.
 */
export function isAnswer(error: unknown): boolean {
  if (isErrorReply(error)) return true
  return error instanceof Error && (ANSWERED.has(error.name) || REDIRECTED.test(error.message))
}

/** The names of our own errors about replies. */
const ANSWERED: ReadonlySet<string> = new Set(['UnreadableReply', 'SlotMoves'])
/** What ioredis says after its last redirection. */
const REDIRECTED = /^Too many Cluster redirections/

/**
 * In Redis 6 the code follows the script's own name and a dash. The first write of a script is the
 * only one that a full server, a replica, or one without replicas or disk refuses. A script that an
 * operator ends has written nothing.
 */
const REFUSALS: readonly RegExp[] = [
  /(^|-)(OOM|READONLY|NOREPLICAS|MISCONF) /,
  /^(NOSCRIPT|LOADING|MASTERDOWN|BUSY|NOAUTH|WRONGPASS|DENIED|NOPROTO) /,
  /^(MOVED|ASK|TRYAGAIN|CLUSTERDOWN|CROSSSLOT) /,
  /^NOPERM (?!ACL failure in script)(?!.* script: )/s,
  /^WRONGTYPE |against a key holding the wrong kind|killed by user/i,
]

/** The reason if a command is not sent because of `backlog.ts`. */
export function hanging(): Error {
  return new Error('it has not answered hundreds of commands, and is asked only now and then')
}

/**
 * Removes the command and its arguments, which ioredis attaches to the error. They contain the
 * response, the token and the key, which must not reach a log.
 */
function withoutArguments(error: unknown): unknown {
  const command = (error as { command?: { args?: unknown } } | null | undefined)?.command
  if (command?.args !== undefined) command.args = undefined
  return error
}

/**
 * Advice by the reason in the error's message. In Redis 6 the reason follows the script's own name
 * and a dash.
 */
const HINTS: readonly (readonly [RegExp, string])[] = [
  [
    /(^|-)READONLY/,
    'the client is connected to a read-only replica; connect it to the primary, and see "Failover is ' +
      'the client\'s task" on the page of @oncekey/redis if that was the primary',
  ],
  [/^LOADING/, 'it is still loading its data'],
  [/^MASTERDOWN/, 'it is a replica that has lost its primary'],
  [/(^|-)OOM/, 'its memory is full; raise `maxmemory` or shorten `resultRetentionMs`'],
  [/\bCLUSTERDOWN\b/, 'the cluster is down, or does not serve the slot of this key'],
  [
    /^(MOVED|ASK|CROSSSLOT) /,
    'it is a node of a cluster; give redisStore() a `Cluster` of ioredis',
  ],
  [/(^|-)NOREPLICAS/, 'too few replicas are connected for its `min-replicas-to-write`'],
  [/(^|-)MISCONF/, 'it cannot write to its disk, and refuses writes until it can'],
  [/^BUSY /, 'a script, or a function, keeps it busy'],
  [/killed by user/i, 'the script was killed by an operator before it had written anything'],
  [/^The client is closed/, 'connect it first: `await client.connect()`'],
  [/^(NOAUTH|WRONGPASS)/, 'the client is not signed in'],
  [
    /NOPERM|can't run this command|ACL failure in script/,
    'its user may not use a command or a key that the store needs',
  ],
  [/^WRONGTYPE|against a key holding the wrong kind/, 'a key of this name is not one of the store'],
]
