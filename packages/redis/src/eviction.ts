import { OncekeyError } from '@oncekey/core'
import { storeTimeout, within } from './deadline.ts'
import type { ResolvedOptions } from './options.ts'
import { isRefusal, storeError } from './store-error.ts'

/**
 * Looks once, before the first claim, whether this Redis evicts keys: a record that is evicted
 * before its time lets a retry run its handler again, and nobody would ever know.
 *
 * The returned function throws `store-unavailable` where it does (or warns, as the options say), and
 * where Redis cannot be asked. A server that does not tell (INFO is not allowed) is taken at its word.
 */
export function evictionGuard(options: ResolvedOptions): () => Promise<void> | undefined {
  let isChecked = false
  let checking: Promise<void> | undefined

  async function check(): Promise<void> {
    try {
      const policy = await evictionPolicy(options)
      if (policy !== undefined && options.whenEvicting === 'refuse') throw evicting(policy)
      if (policy !== undefined) warn(policy)
      isChecked = true
    } finally {
      checking = undefined
    }
  }

  return () => {
    if (isChecked) return undefined
    checking ??= check()
    return checking
  }
}

/** The policy by which it evicts; `undefined` if it does not. */
async function evictionPolicy({
  client,
  commandTimeoutMs,
}: ResolvedOptions): Promise<string | undefined> {
  const masters = client.nodes?.('master') ?? []
  const servers = masters.length === 0 ? [client] : masters
  const asked = servers.map((server) =>
    within(commandTimeoutMs, server.info('memory'), () => storeTimeout(commandTimeoutMs)),
  )
  const answers = await Promise.allSettled(asked)
  const told = answers.filter((answer) => answer.status === 'fulfilled')
  const failed = answers.find((answer) => answer.status === 'rejected')
  if (told.length === 0 && failed !== undefined && !isRefusal(failed.reason)) {
    throw storeError('store-unavailable', failed.reason)
  }
  return told.map(({ value }) => evictionPolicyIn(String(value))).find(Boolean)
}

function evictionPolicyIn(info: string): string | undefined {
  const limit = info.match(/^maxmemory:(\d+)/m)?.[1] ?? '0'
  const policy = info.match(/^maxmemory_policy:([\w-]+)/m)?.[1] ?? 'noeviction'
  return limit === '0' || policy === 'noeviction' ? undefined : policy
}

function evicting(policy: string): OncekeyError {
  return new OncekeyError('store-unavailable', messageOf(policy))
}

function warn(policy: string): void {
  process.emitWarning(messageOf(policy), { code: 'ONCEKEY', type: 'OncekeyWarning' })
}

function messageOf(policy: string): string {
  return (
    `This Redis evicts keys when its memory is full (maxmemory-policy ${policy}), and a handler ` +
    'whose record is evicted runs again when the client retries. Set `maxmemory-policy noeviction`, ' +
    "or accept that with redisStore({ whenEvicting: 'warn' })."
  )
}
