import { AsyncLocalStorage } from 'node:async_hooks'
import { OncekeyError, within } from '@oncekey/core'
import { neverSent } from '../never-sent.ts'
import { speaksUtf8, speakUtf8 } from './client-encoding.ts'
import { earlierQueries } from './earlier-queries.ts'
import type { PgPool, PgPoolClient } from './pg-client.ts'
import { isIdle } from './transaction-status.ts'

/**
 * For a library that takes its clients from a Pool of `pg` by itself. In `work` the pool lends only
 * clients on which no transaction is open. Any other was released in the middle of a transaction,
 * which our statements would become part of; it is taken out of the pool. If a client was left in
 * another encoding, that is set back.
 */
export function onIdleClients<T>(pool: object, work: () => Promise<T>): Promise<T> {
  checkClients(pool as PgPool<PgPoolClient>)
  return asking.run(pool, work)
}

const asking = new AsyncLocalStorage<object>()
const checked = new WeakSet<object>()

/** Makes `connect` of the pool check the clients that it lends in `work`, and no others. */
function checkClients(pool: PgPool<PgPoolClient>): void {
  if (checked.has(pool) || typeof pool.connect !== 'function') return
  checked.add(pool)
  const timeoutMs = pool.options?.connectionTimeoutMillis || ASK_TIMEOUT_MS
  const connect = pool.connect as (...args: unknown[]) => unknown
  const lend = async (): Promise<PgPoolClient> => {
    const client = (await connect.call(pool)) as PgPoolClient
    // Called first, so that it hears what the earlier queries set.
    speaksUtf8(client)
    await asked(client, earlierQueries(client), timeoutMs)
    if (await asked(client, isIdle(client), timeoutMs)) {
      if (!speaksUtf8(client)) await asked(client, speakUtf8(client), timeoutMs)
      return client
    }
    client.release(new Error('The client was released to its pool with a transaction open.'))
    return lend()
  }
  Object.assign(pool, {
    connect(...args: unknown[]): unknown {
      const isOurs = asking.getStore() === pool && typeof args[0] !== 'function'
      return isOurs ? lend() : connect.apply(pool, args)
    },
  })
}

/**
 * Nobody else knows of the client yet: if the server does not answer, it has to leave the pool
 * here, or it would count as in use for ever.
 */
async function asked<T>(
  client: PgPoolClient,
  reply: T | Promise<T>,
  timeoutMs: number,
): Promise<T> {
  if (!(reply instanceof Promise)) return reply
  try {
    return await within(timeoutMs, reply, () => unanswered(timeoutMs))
  } catch (error) {
    client.release(error as Error)
    client.connection?.stream?.destroy()
    throw neverSent(error as Error)
  }
}

function unanswered(timeoutMs: number): OncekeyError {
  const what = `A connection of the pool did not answer within ${timeoutMs} ms.`
  return new OncekeyError('store-unavailable', what)
}

/** For a pool that would wait for a new connection without an end. */
const ASK_TIMEOUT_MS = 5_000
