import { fromPostgresJs } from '@oncekey/postgres/postgres-js'
import postgres, { type Sql, type TransactionSql } from 'postgres'
import type { Bridge, BridgeUnderTest } from './bridge.ts'

export const postgresJs: BridgeUnderTest = {
  name: 'postgres.js',
  lacks: { sqlSavepoints: 'postgres.js commits nothing after an error that was caught' },
  async open({ url, max }) {
    const sql = postgres(url, { max, onnotice: () => {} })
    const bridge: Bridge<TransactionSql> = {
      client: fromPostgresJs(sql),
      insert: (tx, id) => tx`insert into orders ${tx({ id })}`,
      count: async (tx, id) => (await tx`select from orders where id = ${id}`).length,
      raw: (tx, text) => tx.unsafe(text),
      later(tx, id) {
        const insert = tx`insert into orders values (${id})`
        return () => insert.execute()
      },
      nested: (tx, work) => tx.savepoint((inner) => work(inner)),
      isOwn: (tx) => typeof tx === 'function' && typeof tx.savepoint === 'function',
      ends: (tx) => [() => tx.prepare('mine')],
      exhaust: () => everyConnection(sql),
      end: () => sql.end({ timeout: 2 }),
    }
    return bridge as Bridge
  },
}

/**
 * Takes all connections inside transactions. `reserve()` is not used: it loses a connection for
 * good if it is the first to notice that the connection has ended.
 */
export async function everyConnection(sql: Sql): Promise<() => Promise<unknown>> {
  const held = await Promise.all(Array.from({ length: sql.options.max }, () => hold(sql)))
  return () => Promise.all(held.map((giveBack) => giveBack()))
}

/**
 * Tries again after an error, because the next user of a connection that the server ended gets the
 * error about that end.
 */
async function hold(sql: Sql): Promise<() => Promise<unknown>> {
  try {
    return await new Promise((resolve, reject) => {
      const ended = sql.begin(
        () =>
          new Promise<void>((end) =>
            resolve(() => {
              end()
              return ended
            }),
          ),
      )
      ended.catch(reject)
    })
  } catch {
    return await hold(sql)
  }
}
