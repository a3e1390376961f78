import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { type EmittedEvent, type OutboxEvent, outboxEvent } from '@oncekey/core'
import { append, transact } from '@oncekey/postgres'
import type { PoolClient } from 'pg'
import type { OpenLog } from './open-log.ts'
import { type Operation, operationOf } from './operation.ts'

/** What the producers know about the events that they produced. */
export interface Produced {
  /** Marks of events whose commit was confirmed. */
  readonly committed: Set<string>
  /** Marks of events that were rolled back, by their transaction or by a savepoint. */
  readonly undone: Set<string>
  /** The number of operations whose outcome the producer did not learn. */
  unknown: number
}

export interface Producer {
  readonly produced: Produced
  /**
   * Never rejects: a failed operation is not retried, and its outcome is in the ledger as far as it
   * is known.
   */
  produce(seed: string, number: number): Promise<void>
}

export function producer({ log, pool }: OpenLog): Producer {
  const produced: Produced = { committed: new Set(), undone: new Set(), unknown: 0 }

  return {
    produced,
    async produce(seed, number) {
      const operation = operationOf(seed, number)
      const mark = (at: number): string => `${seed}-${number}-${at}`
      const marks = Array.from({ length: operation.events }, (_, at) => mark(at))
      try {
        if (pool === undefined || operation.kind === 'append') {
          await log.append(marks.map((each, at) => logged(eventOf(operation, at, each))))
        } else if (operation.kind === 'savepoint') {
          await withSavepoint(pool, operation, marks, mark(operation.events), produced)
        } else {
          if (operation.kind === 'rollback') for (const each of marks) produced.undone.add(each)
          await transact(pool, async (tx, emit) => {
            const next = await numbered(tx, operation)
            for (const [at, each] of marks.entries()) {
              emit(eventOf(operation, at, each, next(at)))
            }
            if (operation.takesMs > 0) await sleep(operation.takesMs)
            if (operation.kind === 'rollback') throw new Error('This one thinks better of it.')
          })
        }
        for (const each of marks) produced.committed.add(each)
      } catch {
        if (operation.kind === 'rollback') return
        produced.unknown++
        // Waits while the database is away, so that some operations are left when it is back.
        await sleep(300)
      }
    },
  }
}

/**
 * Locks the rows of the keys until the transaction ends, so that their events are numbered in the
 * order of their commits. Returns the number of each event, in turn.
 */
async function numbered(
  tx: Pick<PoolClient, 'query'>,
  { keys, events }: Operation,
): Promise<(at: number) => number> {
  // All producers lock in the same order, because two bulks would otherwise deadlock.
  const lock = 'select from ordering_keys where key = any($1) order by number for update'
  if (keys.length > 1) await tx.query(lock, [keys])
  const counts = keys.map((_, first) => Math.ceil((events - first) / keys.length))
  const { rows } = await tx.query<{ key: string; n: number }>(
    `update ordering_keys k set n = n + count from unnest($1::text[], $2::int[]) w (name, count)
      where key = name returning key, n - count as n`,
    [keys, counts],
  )
  const before = new Map(rows.map(({ key, n }) => [key, n]))
  return (at) => (before.get(keyAt(keys, at)) ?? 0) + Math.floor(at / keys.length) + 1
}

async function withSavepoint(
  pool: NonNullable<OpenLog['pool']>,
  operation: Operation,
  marks: readonly string[],
  undone: string,
  produced: Produced,
): Promise<void> {
  const client = await pool.connect()
  let error: unknown
  try {
    produced.undone.add(undone)
    await client.query('begin')
    const next = await numbered(client, operation)
    await client.query('savepoint tried')
    await append(client, eventOf(operation, 0, undone))
    await client.query('rollback to savepoint tried')
    await client.query('savepoint kept')
    await append(
      client,
      marks.map((each, at) => eventOf(operation, at, each, next(at))),
    )
    await client.query('release savepoint kept')
    await client.query('commit')
  } catch (cause) {
    error = cause
    throw cause
  } finally {
    client.release(error !== undefined)
  }
}

/** `n` is its number among the events of its key; without it, the order is not checked. */
function eventOf(
  { type, keys, bytes }: Operation,
  at: number,
  mark: string,
  n?: number,
): EmittedEvent {
  const key = keyAt(keys, at)
  return {
    type,
    subject: n === undefined ? mark : key,
    orderingKey: n === undefined ? randomUUID() : key,
    data: { mark, n: n ?? null, filler: 'x'.repeat(bytes) },
  }
}

function keyAt(keys: readonly string[], at: number): string {
  return keys[at % keys.length] as string
}

function logged(event: EmittedEvent): OutboxEvent {
  return outboxEvent(event, { source: '/campaign', traceparent: undefined })
}
