import { fromSlonik, slonikDriver } from '@oncekey/postgres/slonik'
import { createPgDriverFactory } from '@slonik/pg-driver'
import { createPool, type DatabaseTransactionConnection, InvalidInputError, sql } from 'slonik'
import type { Bridge, BridgeUnderTest } from './bridge.ts'

export const slonik: BridgeUnderTest = {
  name: 'Slonik',
  async open({ url, max }) {
    const driverFactory = slonikDriver(createPgDriverFactory())
    const pool = await createPool(url, { maximumPoolSize: max, driverFactory })
    pool.on('error', () => {})
    const insert = (id: string) => sql.unsafe`insert into orders values (${id})`
    const bridge: Bridge<DatabaseTransactionConnection> = {
      client: fromSlonik(pool),
      insert: (tx, id) => tx.query(insert(id)),
      count: async (tx, id) =>
        (await tx.any(sql.unsafe`select from orders where id = ${id}`)).length,
      raw: (tx, text) => tx.any({ ...sql.unsafe``, sql: text }).catch(refusedReply),
      later(tx, id) {
        const query = insert(id)
        return () => tx.query(query)
      },
      nested: (tx, work) => tx.transaction((inner) => work(inner)),
      isOwn: (tx) => typeof tx.maybeOneFirst === 'function',
      ends: (tx) => [
        () => tx.query(sql.unsafe`commit`),
        () => tx.maybeOneFirst(sql.unsafe`/* x */ rollback`),
      ],
      async exhaust() {
        let giveBack: () => void = () => {}
        const held = new Promise<void>((resolve) => {
          giveBack = resolve
        })
        const taken: Promise<void>[] = []
        const returned = Array.from({ length: max }, () => {
          let took: () => void = () => {}
          taken.push(
            new Promise((resolve) => {
              took = resolve
            }),
          )
          return pool.connect(() => {
            took()
            return held
          })
        })
        await Promise.race([Promise.all(taken), Promise.all(returned)])
        return () => {
          giveBack()
          return Promise.all(returned)
        }
      },
      end: () => pool.end(),
    }
    return bridge as Bridge
  },
}

/** Slonik refuses the reply to several statements in one text after the server has run them. */
function refusedReply(error: unknown): readonly unknown[] {
  if (error instanceof InvalidInputError && /multiple statements/.test(error.message)) return []
  throw error
}
