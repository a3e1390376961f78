import { once as emitted } from 'node:events'
import { rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { idempotency } from '@oncekey/express'
import { migrate, postgresStore } from '@oncekey/postgres'
import { type Database, freshDatabase } from '@oncekey/test-servers'
import express from 'express'
import { Pool } from 'pg'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { workspace } from '../src/site.ts'
import { snippetsOf } from '../src/snippets.ts'

// The handler of docs/migrating.md, whose table commits its claim on its own.

const file = join(workspace, 'tests', 'docs', '.own-table.ts')
/** A payment of so many cents is refused by the database at the commit. */
const NEVER_COMMITS = 13

let database: Database
let pool: Pool
const servers: Server[] = []

beforeAll(async () => {
  database = await freshDatabase(inject('postgresUrl'))
  pool = new Pool({ connectionString: database.url })
  pool.on('error', () => {})
  await migrate(pool)
  await pool.query(`
    create table old_keys (scope text, key text, answer jsonb, primary key (scope, key));
    create table payments (id serial primary key, cents int);
    create function refuse() returns trigger language plpgsql as $$
      begin if new.cents = ${NEVER_COMMITS} then raise 'not this one'; end if; return null; end $$;
    create constraint trigger refusing after insert on payments deferrable initially deferred
      for each row execute function refuse();`)
})

afterAll(async () => {
  for (const server of servers) server.close()
  await pool.end()
  await database.drop()
  rmSync(file, { force: true })
})

let urls: Record<(typeof modes)[number], string>
const modes = ['transaction', 'lease'] as const

beforeAll(async () => {
  const [snippet] = snippetsOf('docs/migrating.md').filter(({ text }) => text.includes('old_keys'))
  const given = 'const { app, once, pool, express } = globalThis.given\n'
  const served = async (mode: (typeof modes)[number]) => {
    const store = postgresStore({ client: pool, mode })
    const once = idempotency({ store, scope: () => mode, whenUnknown: 'hold' })
    const app = express()
    Object.assign(globalThis, { given: { app, once, pool, express } })
    writeFileSync(file, given + snippet?.text)
    await import(`${file}?${mode}`)
    app.use(
      ((_error, _req, res, _next) => void res.status(500).end()) as express.ErrorRequestHandler,
    )
    const server = createServer(app).listen(0, '127.0.0.1')
    servers.push(server)
    await emitted(server, 'listening')
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}/payments`
  }
  urls = { transaction: await served('transaction'), lease: await served('lease') }
})

describe.each(modes)('a handler whose own claim is committed before it, in %s mode', (mode) => {
  async function pay(key: string, cents = 4200) {
    const response = await fetch(urls[mode], {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'idempotency-key': key },
      body: JSON.stringify({ cents }),
    })
    return { status: response.status, text: await response.text() }
  }
  const rowOf = async (key: string) =>
    (await pool.query('select answer from old_keys where scope = $1 and key = $2', [mode, key]))
      .rows

  test('forgets its own 409, and answers with what the old process has stored', async () => {
    await pool.query('insert into old_keys values ($1, $2)', [mode, 'old'])
    expect((await pay('old')).status).toBe(409)
    expect((await pay('old')).status).toBe(409)
    await pool.query('update old_keys set answer = $2 where scope = $1', [mode, { id: 7 }])
    expect(await pay('old')).toEqual({ status: 201, text: '{"id":7}' })
  })

  test('leaves its answer for the old process', async () => {
    const { text } = await pay('new')
    expect(await rowOf('new')).toEqual([{ answer: JSON.parse(text) }])
  })

  // In lease mode the key is unknown then, and held.
  const whereTheKeyIsFree = test.runIf(mode === 'transaction')
  whereTheKeyIsFree(
    'leaves no answer if its work is not committed, and runs when the row is gone',
    async () => {
      expect((await pay('undone', NEVER_COMMITS)).status).toBe(500)
      expect(await rowOf('undone')).toEqual([{ answer: null }])
      expect((await pay('undone', NEVER_COMMITS)).status).toBe(409)
      await pool.query('delete from old_keys where scope = $1 and key = $2', [mode, 'undone'])
      expect((await pay('undone', NEVER_COMMITS)).status).toBe(500)
    },
  )
})
