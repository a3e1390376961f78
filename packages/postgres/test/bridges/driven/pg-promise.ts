import { fromPgPromise } from '@oncekey/postgres/pg-promise'
import pgPromise, { type ITask } from 'pg-promise'
import type { Bridge, BridgeUnderTest } from './bridge.ts'
import { allOf } from './pg-pool.ts'

const connect = pgPromise({ noWarnings: true })

export const pgPromiseBridge: BridgeUnderTest = {
  name: 'pg-promise',
  async open({ url, max }) {
    const db = connect({ connectionString: url, max })
    db.$pool.on('error', () => {})
    const bridge: Bridge<ITask<object>> = {
      client: fromPgPromise(db),
      insert: (t, id) => t.none('insert into orders values ($1)', [id]),
      count: async (t, id) => (await t.any('select from orders where id = $1', [id])).length,
      raw: (t, text) => t.any(text),
      later: (t, id) => () => t.none('insert into orders values ($1)', [id]),
      nested: (t, work) => t.tx((inner) => work(inner)),
      isOwn: (t) => t.ctx.isTX && t.ctx.inTransaction,
      ends: (t) => [() => t.none('commit'), () => t.none('rollback')],
      exhaust: () => allOf(db.$pool as unknown as Parameters<typeof allOf>[0]),
      end: async () => await db.$pool.end(),
    }
    return bridge as Bridge
  },
}
