import { memoryStore } from '@oncekey/core'
import { consumer, createRelay } from '@oncekey/outbox'
import { migrate, postgresLog, postgresStore, transact } from '@oncekey/postgres'
import { type PostgresServer, startPostgres, waitFor } from '@oncekey/test-servers'
import { finish, leaveUnknown, NAME } from '@oncekey/test-shop'
import { Pool } from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Dashboard, dashboard } from '../src/index.ts'

// What operators of other dashboards reported, where no other test of this folder has it.

let server: PostgresServer
let pool: Pool
let show: Dashboard

beforeAll(async () => {
  server = await startPostgres()
  pool = new Pool({ connectionString: server.url, max: 4, connectionTimeoutMillis: 2_000 })
  // A pool tells of idle connections that the server has ended.
  pool.on('error', () => {})
  await migrate(pool)
  const log = postgresLog({ client: pool })
  show = dashboard({
    store: postgresStore({ client: pool, mode: 'lease' }),
    deadLetters: [log.deadLetters],
    lag: { log, consumers: ['mailer'] },
    authorize: () => ({ actor: 'maria@shop.example', may: 'all' }),
  })
})
afterAll(async () => {
  await pool?.end()
  await server?.stop()
})

const get = (path: string) => show(new Request(`https://shop.example/${path}`))
const json = async <Answer>(path: string) => (await (await get(`api/v1/${path}`)).json()) as Answer
const post = async <Answer>(path: string, fields: Record<string, string>) => {
  const body = new URLSearchParams({ ...fields, note: 'as agreed', confirmed: 'yes' })
  const request = new Request(`https://shop.example/api/v1/${path}`, { method: 'POST', body })
  return (await (await show(request)).json()) as Answer
}

interface Failure {
  readonly message: string
}
interface Letters {
  readonly page: {
    readonly items: readonly { readonly id: string; readonly subject: string; error: Failure }[]
    readonly next?: string
  }
}
interface Letter {
  readonly letter: { readonly history: readonly { readonly error: Failure }[] }
}
interface Redriven {
  readonly redriven: readonly string[]
  readonly refused: readonly { readonly outcome: string }[]
}
const NONE = { id: 'none', subject: 'none', error: { message: 'none' } }
interface Audit {
  readonly items: readonly { readonly detail: unknown }[]
}

/** Emits these subjects, and lets them fail until they are dead. */
async function die(...subjects: string[]): Promise<void> {
  const mailer = consumer({
    name: 'mailer',
    maxAttempts: 3,
    backoff: () => 1,
    handle({ event, attempt }) {
      throw new Error(`attempt ${attempt} of ${event.subject}: ${'x'.repeat(900)} the end`)
    },
  })
  const log = postgresLog({ client: pool })
  const relay = createRelay({ log, consumers: [mailer] })
  await relay.runOnce()
  await transact(pool, async (_, emit) => {
    for (const subject of subjects) emit({ type: 'order.placed', subject, data: { subject } })
  })
  const dead = async () => log.deadLetters.count({ subject: subjects.at(-1) as string })
  await waitFor(async () => (await relay.runOnce()) >= 0 && (await dead()) > 0, { what: 'death' })
  while ((await relay.runOnce()) > 0);
  await relay.stop()
}

test('a list shows the last error, and a letter each attempt with its whole error', async () => {
  await die('told')
  const list = await json<Letters>('dead-letters?source=consumers&subject=told')
  const [{ id, error } = NONE] = list.page.items
  expect(error.message).toMatch(/^attempt 3 of told/)
  const { letter } = await json<Letter>(`dead-letters/one?source=consumers&id=${id}`)
  const messages = letter.history.map(({ error }) => error.message)
  expect(messages).toHaveLength(3)
  for (const [at, message] of messages.entries()) {
    expect(message).toMatch(new RegExp(`^attempt ${at + 1} of told: x{900} the end$`))
  }
  const page = await (await get(`dead-letters/one?source=consumers&id=${id}`)).text()
  expect(page.match(/the end/g)?.length).toBeGreaterThanOrEqual(3)
})

test('letters of one instant are listed page by page, each of them once', async () => {
  const subjects = Array.from({ length: 230 }, (_, n) => `same-${n}`)
  await die(...subjects)
  await pool.query(`update oncekey.deliveries set dead_at = '2026-01-01T00:00:00Z'`)
  const seen: string[] = []
  let after = ''
  do {
    const { page } = await json<Letters>(`dead-letters?source=consumers&after=${after}`)
    const { items, next } = page
    seen.push(...items.map(({ subject }) => subject))
    after = next ?? ''
  } while (after !== '')
  const expected = await pool.query('select count(*)::integer as all from oncekey.deliveries')
  expect(seen).toHaveLength(expected.rows[0].all)
  expect(new Set(seen).size).toBe(seen.length)
  expect(subjects.filter((subject) => !seen.includes(subject))).toEqual([])
})

test('eight operators at once on one letter: one redrives it, the others are told its state', async () => {
  await die('wanted')
  const { page } = await json<Letters>('dead-letters?source=consumers&subject=wanted')
  const [{ id } = NONE] = page.items
  const fields = { source: 'consumers', id }
  const all = await Promise.all(
    Array.from({ length: 8 }, () => post<Redriven>('dead-letters/redrive', fields)),
  )
  expect(all.filter(({ redriven }) => redriven.includes(id))).toHaveLength(1)
  const refused = all.flatMap(({ refused }) => refused)
  expect(refused).toHaveLength(7)
  expect(new Set(refused.map(({ outcome }) => outcome))).toEqual(new Set(['retrying']))
  const { items: acts } = await json<Audit>('audit?act=dead-letters.redrive')
  expect(acts.map(({ detail }) => detail)).toEqual([{ ids: [id] }])
})

test('eight operators at once on one key: one frees it, and one act is on record', async () => {
  await leaveUnknown(postgresStore({ client: pool, mode: 'lease' }), 'wanted')
  const fields = { ...NAME, key: 'wanted' }
  const all = await Promise.all(
    Array.from({ length: 8 }, () => post<{ result: string }>('keys/release', fields)),
  )
  const words = all.map(({ result }) => result).sort()
  expect(words).toEqual([...Array.from({ length: 7 }, () => 'absent'), 'done'])
  const { items } = await json<Audit>('audit?act=keys.release')
  expect(items).toHaveLength(1)
})

test('no page has a script, reloads by itself, or needs the clipboard', async () => {
  for (const path of ['', 'keys', 'dead-letters', 'dead-letters/preview', 'redrives', 'audit']) {
    const response = await get(path)
    expect(response.status, path).toBe(200)
    expect(response.headers.get('refresh')).toBeNull()
    const page = await response.text()
    expect(page, path).not.toMatch(/<script|http-equiv|\bon[a-z]+=|clipboard/)
  }
})

test('a body of 10 MB is shown by its beginning, and says how long it is', async () => {
  const store = memoryStore({ mode: 'lease' })
  const body = `{"n":"${'é'.repeat(10_000_000)}"}`
  await finish(store, 'large', body)
  const own = dashboard({ store, authorize: () => ({ actor: 'maria', may: 'all' }) })
  const query = new URLSearchParams({ ...NAME, key: 'large', body: 'shown' })
  const page = await (await own(new Request(`https://shop.example/keys/one?${query}`))).text()
  expect(page.length).toBeLessThan(100_000)
  expect(page).toContain(`of ${body.length} characters`)
})

test('a database that is down is a page that says so, and the next page after it is back works', async () => {
  await server.crash()
  expect(await (await get('')).text()).toContain('Not told:')
  for (const path of ['keys', 'dead-letters', 'audit']) {
    const response = await get(path)
    expect(response.status, path).toBe(503)
    expect(await response.text()).toContain('The database does not tell')
  }
  const act = await post<{ error: string }>('keys/release', { ...NAME, key: 'wanted' })
  expect(act.error).toContain('Nothing is known to have been done')
  await server.restart()
  for (const path of ['', 'keys', 'dead-letters', 'audit']) {
    expect((await get(path)).status, path).toBe(200)
  }
})
