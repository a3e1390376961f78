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
      end: () => sql.end(),
    }
    return bridge as Bridge
  },
}

export async function everyConnection(sql: Sql): Promise<() => void> {
  const reserved = await Promise.all(Array.from({ length: sql.options.max }, () => sql.reserve()))
  return () => {
    for (const each of reserved) each.release()
  }
}
