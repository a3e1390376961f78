import { outboxEvent } from '@oncekey/core'
import { postgresLog } from '@oncekey/postgres'
import { startProxy, waitFor } from '@oncekey/test-servers'
import { beforeAll, expect, test } from 'vitest'
import { ended, startOncekey } from './oncekey.ts'
import { refuseAll } from './refuse-all.ts'
import { cliDatabase } from './servers.ts'

const database = cliDatabase()
const { query, url } = database
/** Before the server answers, it is stalled for as long as it takes the program to start. */
const patient = ['--timeout', '2m']
const act = ['--note', 'the mail server is back', '--actor', 'maria@shop.example', '--yes']

beforeAll(async () => {
  const log = postgresLog({ client: database.pool() })
  await log.subscribe({ consumer: 'email', types: ['order.*'], startAt: 'beginning' })
  await log.append(
    Array.from({ length: 20 }, () =>
      outboxEvent({ type: 'order.created' }, { source: '/shop', traceparent: undefined }),
    ),
  )
  await refuseAll(log as never)
})

// A bug: an interrupted verb waited for seconds, dropped the error, and ended without a word about
// what it had left on record.
test('a redrive that cannot be cancelled says why, and that it is on record', async () => {
  await query(`
    create function refuse() returns trigger language plpgsql as $$
    begin raise exception 'nobody may cancel here'; end $$`)
  await query(`
    create trigger refused before update on oncekey.redrives
    for each row when (new.state = 'cancelled') execute function refuse()`)
  const redrive = ['dead', 'redrive', '--origin', 'email', '--rate', '1', ...act]
  const child = startOncekey(redrive, { DATABASE_URL: url() })
  let told = ''
  child.stderr.on('data', (chunk) => (told += chunk))
  const ran = ended(child)
  await waitFor(() => /\d of 20/.test(told), { what: 'the first letters', timeoutMs: 60_000 })
  child.kill('SIGINT')
  const { code, stderr } = await ran
  const [{ id }] = (await query<{ id: string }>('select id from oncekey.redrives')) as [
    { id: string },
  ]
  expect({ code, stderr }).toEqual({
    code: 130,
    stderr: expect.stringContaining(`Redrive ${id} is on record`),
  })
  expect(stderr).toContain('nobody may cancel here')
  await query('drop trigger refused on oncekey.redrives')
  await query(`update oncekey.redrives set state = 'cancelled', ended_at = clock_timestamp()`)
}, 120_000)

// A bug: a second Ctrl-C ended the program without a word about what it had left on record.
test('a redrive that is interrupted twice says that it is on record', async () => {
  const child = startOncekey(['dead', 'redrive', '--origin', 'email', '--rate', '1', ...act], {
    DATABASE_URL: url(),
  })
  let told = ''
  child.stderr.on('data', (chunk) => (told += chunk))
  const ran = ended(child)
  await waitFor(() => /\d of \d/.test(told), { what: 'the first letters', timeoutMs: 60_000 })
  const client = await database.pool().connect()
  try {
    await client.query('begin; lock table oncekey.redrives in access exclusive mode')
    child.kill('SIGINT')
    await waitFor(
      async () => {
        const { rowCount } = await client.query(
          `select from pg_locks where not granted and relation = 'oncekey.redrives'::regclass`,
        )
        return rowCount !== 0
      },
      { what: 'the cancellation to wait' },
    )
    child.kill('SIGTERM')
    expect(await ran).toMatchObject({ code: 130, stderr: expect.stringMatching(/is on record/) })
  } finally {
    await client.query('rollback')
    client.release()
  }
  await query(`update oncekey.redrives set state = 'cancelled', ended_at = clock_timestamp()
    where ended_at is null`)
}, 120_000)

// A bug: a redrive was put on record after the interruption, and with --start the exit code was 0.
test.each([[[]], [['--start']]])(
  'a redrive that is interrupted before the server answers is not put on record %s',
  async (options) => {
    const { hostname: host, port } = new URL(url())
    const proxy = await startProxy({ host, port: Number(port) })
    try {
      proxy.stallDownstream()
      const before = await query('select id from oncekey.redrives')
      const child = startOncekey(['dead', 'redrive', '--all', ...options, ...act, ...patient], {
        DATABASE_URL: proxy.through(url()),
      })
      const ran = ended(child)
      await waitFor(() => proxy.open() > 0, { what: 'the connection', timeoutMs: 60_000 })
      child.kill('SIGINT')
      // The connection takes several answers before anything is asked on it.
      proxy.resume()
      const { code, stderr } = await ran
      expect({ code, stderr }).toEqual({
        code: 130,
        stderr: 'oncekey: Interrupted: nothing was changed.\n',
      })
      expect(await query('select id from oncekey.redrives')).toEqual(before)
    } finally {
      await proxy.stop()
    }
  },
  120_000,
)
