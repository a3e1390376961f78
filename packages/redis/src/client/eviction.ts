import { OncekeyError, within } from '@oncekey/core'
import type { Connection } from './connection.ts'
import { isErrorReply, storeError } from './store-error.ts'
import { storeTimeout } from './store-timeout.ts'

/**
 * Checks whether this Redis evicts keys. If it does, the eviction of a record would let a retry run
 * its handler again, and nothing would show it. The first claim waits for the check. Later a claim
 * starts it again if the last one is some seconds old, but does not wait: the next claim gets the
 * result.
 *
 * The promise rejects with `store-unavailable` if Redis evicts; with `whenEvicting: 'warn'` there
 * is only a warning. It also rejects if Redis does not reply, until one check has succeeded; after
 * that the claim's own command fails. If the server does not reveal its policy because INFO is not
 * allowed, the store assumes that it does not evict.
 */
export function evictionGuard(
  options: Connection & { readonly whenEvicting: 'refuse' | 'warn' },
): () => Promise<void> | undefined {
  let isFine = false
  let lookAt = 0
  let looking: Promise<void> | undefined
  const warn = evictionWarning(OF_RECORDS)

  async function look(): Promise<void> {
    try {
      const policy = await evictionPolicy(options)
      isFine = policy === undefined || options.whenEvicting === 'warn'
      if (!isFine) throw new OncekeyError('store-unavailable', textOf(policy, OF_RECORDS))
      warn(policy)
    } finally {
      lookAt = performance.now() + LOOK_EVERY_MS
      looking = undefined
    }
  }

  return () => {
    if (isFine && performance.now() < lookAt) return undefined
    looking ??= look()
    if (!isFine) return looking
    // The next claim gets the result of the check. If Redis does not reply, this claim's own
    // command fails too.
    looking.catch(() => {})
    return undefined
  }
}

/**
 * The same check for a log. It only warns, once for each policy, and relays continue, because an
 * event that was delivered can no longer be lost by eviction. Never rejects.
 */
export function evictionWatch(options: Connection): () => Promise<void> {
  const warn = evictionWarning(OF_EVENTS)
  return () => evictionPolicy(options).then(warn, () => {})
}

/** The policy by which this Redis evicts keys; `undefined` if it does not. */
async function evictionPolicy({
  client,
  commandTimeoutMs,
}: Connection): Promise<string | undefined> {
  const masters = client.nodes?.('master') ?? []
  const servers = masters.length === 0 ? [client] : masters
  const asked = servers.map((server) =>
    within(commandTimeoutMs, server.info('memory'), () => storeTimeout(commandTimeoutMs)),
  )
  const answers = await Promise.allSettled(asked)
  const told = answers.filter((answer) => answer.status === 'fulfilled')
  const failed = answers.find((answer) => answer.status === 'rejected')
  if (told.length === 0 && failed !== undefined && !isErrorReply(failed.reason)) {
    throw storeError('store-unavailable', failed.reason)
  }
  // A client of a Cluster may give the answers of all nodes in one text.
  const texts = told.flatMap(({ value }) => String(value).split(/^# Memory/m))
  return texts.map(evictionPolicyIn).find(Boolean)
}

function evictionPolicyIn(info: string): string | undefined {
  const limit = info.match(/^maxmemory:(\d+)/m)?.[1] ?? '0'
  const policy = info.match(/^maxmemory_policy:([\w-]+)/m)?.[1] ?? 'noeviction'
  return limit === '0' || policy === 'noeviction' ? undefined : policy
}

/** Warns once for each policy, and again if the policy changed in between. */
function evictionWarning(what: Evicted): (policy: string | undefined) => void {
  let last: string | undefined
  return (policy) => {
    if (policy !== undefined && policy !== last) {
      process.emitWarning(textOf(policy, what), { code: 'ONCEKEY', type: 'OncekeyWarning' })
    }
    last = policy
  }
}

function textOf(policy: string | undefined, { lost, remedy }: Evicted): string {
  return `This Redis evicts keys when its memory is full (maxmemory-policy ${policy}), and ${lost}. ${remedy}`
}

interface Evicted {
  readonly lost: string
  readonly remedy: string
}

const OF_RECORDS: Evicted = {
  lost: 'a handler whose record is evicted runs again when the client retries',
  remedy:
    'Set `maxmemory-policy noeviction`, ' +
    "or accept that with redisStore({ whenEvicting: 'warn' }).",
}

const OF_EVENTS: Evicted = {
  lost:
    'with a stream the events in it are evicted, delivered or not, and with other keys of the log ' +
    'dead letters, cursors, and the marks of what a consumer has emitted',
  remedy: 'Set `maxmemory-policy noeviction`.',
}

const LOOK_EVERY_MS = 5_000
