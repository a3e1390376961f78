import { once as emitted } from 'node:events'
import { rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { idempotency } from '@oncekey/express'
import { migrate } from '@oncekey/postgres'
import { type Database, freshDatabase } from '@oncekey/test-servers'
import express from 'express'
import { Pool } from 'pg'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { workspace } from '../src/site.ts'
import { snippetsOf } from '../src/snippets.ts'

const tenants = ['shared', 'acme', 'bolt'] as const
const databases = new Map<string, Database>()
const pools = new Map<string, Pool>()
const file = join(workspace, 'tests', 'docs', '.tenants.ts')

beforeAll(async () => {
  for (const tenant of tenants) {
    const database = await freshDatabase(inject('postgresUrl'))
    const pool = new Pool({ connectionString: database.url })
    pool.on('error', () => {})
    await migrate(pool)
    await pool.query('create table orders (item text not null)')
    databases.set(tenant, database)
    pools.set(tenant, pool)
  }
})

afterAll(async () => {
  for (const pool of pools.values()) await pool.end()
  for (const database of databases.values()) await database.drop()
  rmSync(file, { force: true })
})

/** Loads the page's snippet as a module, with the names that its reader has: `pool` and `urlOf`. */
async function storeOfThePage() {
  const [snippet] = snippetsOf('docs/tenants.md').filter(({ text }) => text.includes('storeOf('))
  const given = 'const { pool, urlOf } = (globalThis as any).given\n'
  const ended = '\nexport const end = () => Promise.all(ends.map((one) => one.end()))\n'
  const text = snippet?.text.replace('tenantPool.on(', 'ends.push(tenantPool)\n  tenantPool.on(')
  writeFileSync(file, `${given}const ends: Pool[] = []\n${text}${ended}`)
  const urlOf = (tenant: string) => databases.get(tenant)?.url
  Object.assign(globalThis, { given: { pool: pools.get('shared'), urlOf } })
  return import(file)
}

test('each claim goes to the database of its tenant, where the handler writes, too', async () => {
  const { store, end } = await storeOfThePage()
  const once = idempotency({ store, scope: (req) => String(req.headers['x-tenant']) })
  const app = express()
  app.post('/orders', express.json(), once, async (req, res) => {
    const tx = (await once.of(req).transaction()) as Pool
    await tx.query('insert into orders values ($1)', [req.body.item])
    res.status(201).json({ ordered: req.body.item })
  })
  const server = createServer(app).listen(0, '127.0.0.1')
  await emitted(server, 'listening')
  const url = () => `http://127.0.0.1:${(server.address() as AddressInfo).port}/orders`
  const order = async (tenant: string, item: string) => {
    const headers = {
      'content-type': 'application/json',
      'x-tenant': tenant,
      'idempotency-key': 'the-same-key',
    }
    const response = await fetch(url(), {
      method: 'POST',
      headers,
      body: JSON.stringify({ item }),
    })
    return [response.status, response.headers.get('x-idempotency-replayed')]
  }
  try {
    expect(await order('acme', 'anvil')).toEqual([201, null])
    expect(await order('acme', 'anvil')).toEqual([201, 'true'])
    expect(await order('bolt', 'nut')).toEqual([201, null])
    expect(await order('bolt', 'anvil')).toEqual([422, null])
  } finally {
    server.closeAllConnections()
    server.close()
    await end()
  }
  const counts = []
  for (const tenant of tenants) {
    const { rows } = await pools.get(tenant)!.query(`select
      (select count(*)::int from orders) as orders,
      (select count(*)::int from oncekey.records) as records`)
    counts.push(rows[0])
  }
  expect(counts).toEqual([
    { orders: 0, records: 0 },
    { orders: 1, records: 1 },
    { orders: 1, records: 1 },
  ])
})
