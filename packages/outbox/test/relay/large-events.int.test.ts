import { postgresLog } from '@oncekey/postgres'
import { type Child, startNode, waitFor } from '@oncekey/test-servers'
import { afterEach, describe, expect, test } from 'vitest'
import { logDatabase } from '../databases/log-database.ts'

const children: Child<unknown>[] = []
afterEach(async () => {
  for (const child of children.splice(0)) {
    child.kill()
    await child.exited
  }
})

const EVENTS = 300

describe('300 events of 1 MB in a process of 256 MB', () => {
  const database = logDatabase()

  const start = async (env: Record<string, string>): Promise<Child<unknown>> => {
    const child = await startNode(new URL('./small-process.ts', import.meta.url), {
      env: {
        DATABASE_URL: database.url(),
        NODE_OPTIONS: '--max-old-space-size=128 --max-semi-space-size=8',
        ...env,
      },
      readyTimeoutMs: 120_000,
    })
    children.push(child)
    return child
  }

  const ends = async (child: Child<unknown>, isDone: () => Promise<boolean>): Promise<void> => {
    let isOver = false
    void child.exited.then(() => {
      isOver = true
    })
    await waitFor(async () => isOver || (await isDone()), {
      what: 'the events to be taken',
      timeoutMs: 150_000,
      intervalMs: 200,
    })
    expect(isOver).toBe(false)
    child.kill('SIGTERM')
    await child.exited
    const [{ subject } = { subject: '{}' }] = await database.query<{ subject: string }>(
      "delete from effects where consumer = 'peak' returning subject",
    )
    // The limit is for the whole process: the code, the heap and the buffers of the connection.
    expect(JSON.parse(subject).kilobytes).toBeLessThan(256 * 1024)
  }

  test('are drained, both when they succeed and when they are filed, retried and become dead letters', {
    timeout: 400_000,
  }, async () => {
    await database.query(
      `insert into oncekey.outbox (slot, id, type, source, ordering_key, data, headers, occurred_at)
         select g % 64, gen_random_uuid(), 'big', '/', g::text,
             to_json(repeat(md5(g::text), 32768)), '{}', now()
           from generate_series(1, ${EVENTS}) g`,
    )
    const log = postgresLog({ client: database.pool() })
    const taking = await start({})
    await ends(taking, async () => {
      const [row] = await database.query<{ known: boolean }>(
        "select exists (select from oncekey.consumers where name = 'taking') as known",
      )
      return row?.known === true && (await log.lag('taking')).events === 0
    })
    const failing = await start({ FAILS: 'yes' })
    await ends(failing, async () => (await log.deadLetters.count({})) === EVENTS)
    const { items } = await log.deadLetters.list({}, { limit: 1_000 })
    expect(items.filter(({ attempts }) => attempts === 2)).toHaveLength(EVENTS)
  })
})
