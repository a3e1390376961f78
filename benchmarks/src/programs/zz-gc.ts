
import { postgresLog } from '@oncekey/postgres'
import { consumer, createRelay } from '@oncekey/outbox'
import { Pool } from 'pg'
import { fromPg } from '../../../packages/postgres/src/from-pg.ts'
import { within } from '../../../packages/postgres/src/deadline.ts'
import { readingOf } from '../../../packages/postgres/src/log/read-page.ts'
import { readEvents } from '../../../packages/postgres/src/log/statements/read-events.ts'
const mode = process.argv[2]
const pool = new Pool({ connectionString: process.argv[3], max: 10 })
const log = postgresLog({ client: pool })
let n = 0
async function main() {
  if (mode.startsWith('sql')) {
    const client = fromPg(pool as any, { prepare: false })
    const statement = readEvents('oncekey')
    let at = 0
    for (let i = 0; i < 120; i++) {
      const position = '1:1:||0|' + at
      const reading = readingOf({ consumer: 'c', types: null, limit: 500, slots: Array.from({ length: 64 }, (_, slot) => ({ slot, position })) }, false)
      let rows: any
      if (mode === 'sqlclient' || mode === 'sqlpage') rows = await client.query(statement(reading.question), { timeoutMs: 30000 })
      else if (mode === 'sqlwithin') rows = (await within(30000, pool.query(statement(reading.question) as any), () => new Error('late'))).rows
      else if (mode === 'sqla') { const c = await pool.connect(); rows = (await c.query(statement(reading.question) as any)).rows; c.release() }
      else if (mode === 'sqlb') { const c = await pool.connect(); const q = statement(reading.question); rows = (await c.query({ text: q.text, values: q.values, types: { getTypeParser: () => String } } as any)).rows; c.release() }
      else if (mode === 'sqlc') { const c = await within(30000, pool.connect(), () => new Error('late')); rows = (await c.query(statement(reading.question) as any)).rows; c.release() }
      else if (mode === 'sqld') { const c = await pool.connect(); rows = (await within(30000 - Math.random(), c.query(statement(reading.question) as any), () => new Error('late'))).rows; c.release() }
      else if (mode === 'sqle') { const c = await pool.connect(); const l = () => {}; c.on('error', l); rows = (await c.query(statement(reading.question) as any)).rows; c.release(); c.removeListener('error', l) }
      else if (mode === 'sqlf') { const c = await pool.connect(); rows = (await new Promise<any>((res, rej) => c.query(statement(reading.question) as any, (e: any, r: any) => e ? rej(e) : res(r)))).rows; c.release() }
      else if (mode === 'sqlg') { const c = await pool.connect(); rows = (await new Promise<any>((res, rej) => c.query(statement(reading.question) as any, (e: any, r: any) => { c.release(); e ? rej(e) : res(r) }))).rows }
      else if (mode === 'sqlh') { rows = await new Promise<any>((res, rej) => pool.connect((e, c) => { c!.query(statement(reading.question) as any).then((r: any) => { c!.release(); res(r.rows) }) })) }
      else if (mode === 'sqli') { rows = await new Promise<any>((res, rej) => pool.connect((e, c) => { c!.query(statement(reading.question) as any, (e: any, r: any) => { c!.release(); res(r.rows) }) })) }
      else rows = (await pool.query(statement(reading.question) as any)).rows
      if (mode === 'sqlpage') rows = reading.page(rows).events
      n += rows.length
      at += 500
      await new Promise(setImmediate)
    }
    return
  }
  if (mode.startsWith('pg')) {
    let at = 0
    const T = { getTypeParser: () => String }
    for (let i = 0; i < 120; i++) {
      const values = [JSON.stringify([{ f: '1:1:', t: null, o: 0, s: at }]), '{' + Array(64).fill(1).join(',') + '}', null, 500, 'false']
      const text = 'select * from oncekey.read_events($1::json, $2::integer[], $3::text[], $4::integer, $5::boolean)'
      let rows: any[]
      if (mode === 'pgplain') rows = (await pool.query({ text: 'select slot::text, seq::text, id::text, type, source, subject, ordering_key, data::text, headers::text, occurred_at::text from oncekey.outbox where seq > $1 order by seq limit 500', values: [at] })).rows
      else if (mode === 'pgtext') rows = (await pool.query({ text, values, types: T } as any)).rows
      else if (mode === 'pgtextlate') { rows = (await pool.query({ text, values, types: T } as any)).rows; await new Promise((r) => setTimeout(r, 5)) }
      else rows = (await pool.query({ text, values })).rows
      n += rows.length
      at += 500
      await new Promise(setImmediate)
    }
    return
  }
  if (mode === 'read') {
    await log.subscribe({ consumer: 'c', types: null, startAt: 'beginning' })
    const lease = await log.lease({ consumer: 'c', relay: 'r', leaseMs: 60000, holding: [] })
    let slots: { slot: number; position: string }[] = lease.taken.map(({ slot, position }) => ({ slot, position }))
    for (;;) {
      const page = await log.read({ consumer: 'c', types: null, slots, limit: 500 })
      n += page.events.length
      if (page.events.length === 0) break
      slots = [...page.next]
      await new Promise(setImmediate)
    }
  } else {
    await new Promise<void>((resolve) => {
      const options = mode === 'noadvance' ? { advanceEveryMs: 60000, maxInFlight: 10_000_000 } : mode === 'slowadvance' ? { advanceEveryMs: 300, maxInFlight: 100000 } : {}
      const relay = createRelay({ log, ...options, consumers: [consumer({ name: mode, handle: () => { n += 1; if (n === 60000) resolve() } })] })
      relay.start()
    })
  }
}
main().then(() => { console.log('N', n, JSON.stringify(process.cpuUsage())); process.exit() })
