import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { migrate, postgresStore } from '@oncekey/postgres'
import { type Database, freshDatabase } from '@oncekey/test-servers'
import { Pool } from 'pg'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { workspace } from '../src/site.ts'
import { snippetsOf } from '../src/snippets.ts'

let database: Database
let pool: Pool
const folder = mkdtempSync(join(workspace, 'tests', 'docs', '.batch-'))

beforeAll(async () => {
  database = await freshDatabase(inject('postgresUrl'))
  pool = new Pool({ connectionString: database.url })
  pool.on('error', () => {})
  await migrate(pool)
  await pool.query('create table orders (id serial primary key, item text not null)')
})
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true })
  await pool.end()
  await database.drop()
})

type Answer = { readonly key: string; readonly status: number; readonly id?: number }
type PlaceAll = (owner: string, items: readonly object[]) => Promise<readonly Answer[]>

/** Loads the page's snippet as a module, with the `store` that its reader has. */
async function placeAllOfThePage(): Promise<PlaceAll> {
  const snippet = snippetsOf('docs/recipes.md').find(({ text }) => text.includes('placeAll('))
  const file = join(folder, 'batch.ts')
  writeFileSync(file, `const { store } = (globalThis as any).given\n${snippet?.text}`)
  Object.assign(globalThis, { given: { store: postgresStore({ client: pool }) } })
  return (await import(file)).placeAll
}

test('a batch of which one item failed is sent again, and only that item runs', async () => {
  const placeAll = await placeAllOfThePage()
  const items = ['violin', 'harp', '', 'oud'].map((item, at) => ({ key: `item-${at}`, item }))
  await pool.query("alter table orders add constraint no_harps check (item <> 'harp')")
  const first = await placeAll('ana', items)
  expect(first.map(({ status }) => status)).toEqual([201, 503, 422, 201])

  await pool.query('alter table orders drop constraint no_harps')
  const again = await placeAll('ana', items)
  expect(again.map(({ status }) => status)).toEqual([201, 201, 422, 201])
  expect([again[0], again[2], again[3]]).toEqual([first[0], first[2], first[3]])

  const [reused] = await placeAll('ana', [{ key: 'item-0', item: 'cello' }])
  expect(reused).toEqual({ key: 'item-0', status: 422 })

  const { rows } = await pool.query('select item from orders order by id')
  expect(rows.map(({ item }) => item)).toEqual(['violin', 'oud', 'harp'])
  const events = await pool.query('select from oncekey.outbox')
  expect(events.rowCount).toBe(3)
})
