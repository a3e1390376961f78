import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { migrate, postgresStore } from '@oncekey/postgres'
import { type Database, freshDatabase, waitFor } from '@oncekey/test-servers'
import { Pool } from 'pg'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { workspace } from '../src/site.ts'
import { snippetsOf } from '../src/snippets.ts'

let database: Database
let pool: Pool
const folder = mkdtempSync(join(workspace, 'tests', 'docs', '.cron-'))

beforeAll(async () => {
  database = await freshDatabase(inject('postgresUrl'))
  pool = new Pool({ connectionString: database.url, max: 20 })
  pool.on('error', () => {})
  await migrate(pool)
  await pool.query('create table carts (touched timestamptz)')
})
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true })
  await pool.end()
  await database.drop()
})

type AtThree = (scheduledFor: Date) => Promise<void>

/** Loads the page's snippet as a module, with the `store` that its reader has, and changed. */
async function jobOfThePage(name: string, change = (text: string) => text): Promise<AtThree> {
  const snippet = snippetsOf('docs/recipes.md').find(({ text }) => text.includes('atThree('))
  const file = join(folder, `${name}.ts`)
  const text = change(snippet?.text ?? '')
  writeFileSync(file, `const { store } = (globalThis as any).given\n${text}`)
  Object.assign(globalThis, { given: { store: postgresStore({ client: pool }) } })
  return (await import(file)).atThree
}

async function waitingForHeld(): Promise<number> {
  const sql = "select from pg_locks where relation = 'held'::regclass and not granted"
  return (await pool.query(sql)).rowCount ?? 0
}

async function eventsOf(scheduledFor: Date): Promise<number> {
  const sql = 'select from oncekey.outbox where subject = $1'
  const { rowCount } = await pool.query(sql, [scheduledFor.toISOString()])
  return rowCount ?? 0
}

test('of three instances one does the job, and the others go home', async () => {
  const atThree = await jobOfThePage('once')
  const time = new Date('2026-11-30T03:00:00Z')
  const holder = await pool.connect()
  await holder.query('begin')
  await holder.query('lock table carts')
  let home = 0
  const instances = [1, 2, 3].map(() => atThree(time).then(() => (home += 1)))
  await waitFor(() => home === 2, { what: 'the others to go home' })
  expect(await eventsOf(time)).toBe(0)
  await holder.query('rollback')
  holder.release()
  await Promise.all(instances)
  await atThree(time) // an instance that is late
  expect(await eventsOf(time)).toBe(1)
})

test('if the first fails nobody tries again, unless the others wait for it', async () => {
  await pool.query(`create sequence tries;
    create table held (of_nobody int);
    create function fail_first() returns void language plpgsql as $$ begin
      if nextval('tries') = 1 then lock table held; raise 'the first fails'; end if;
    end $$`)
  const holder = await pool.connect()
  const hold = () => holder.query('begin; lock table held')
  await hold()
  const failing = (text: string) =>
    text.replace(/`delete from carts[^`]*`/, "'select fail_first()'")
  const alone = await jobOfThePage('failing', failing)
  const time = new Date('2026-12-01T03:00:00Z')
  let home = 0
  const instances = [1, 2, 3].map(() => alone(time).then(() => (home += 1)))
  const ended = Promise.allSettled(instances)
  await waitFor(() => home === 2, { what: 'the others to go home' })
  await holder.query('rollback')
  const ends = await ended
  expect(ends.map(({ status }) => status).sort()).toEqual(['fulfilled', 'fulfilled', 'rejected'])
  expect(await eventsOf(time)).toBe(0)

  await pool.query('alter sequence tries restart')
  await hold()
  const waiting = await jobOfThePage('waiting', (text) =>
    failing(text).replace('handlerTimeoutMs:', 'waitMs: 30_000, handlerTimeoutMs:'),
  )
  const next = new Date('2026-12-02T03:00:00Z')
  const begun = Promise.allSettled([waiting(next), waiting(next), waiting(next)])
  await waitFor(async () => (await waitingForHeld()) === 1, { what: 'the first to begin' })
  await holder.query('rollback')
  holder.release()
  const later = await begun
  expect(later.map(({ status }) => status).sort()).toEqual(['fulfilled', 'fulfilled', 'rejected'])
  expect(await eventsOf(next)).toBe(1)
})
