import { randomUUID } from 'node:crypto'
import { migrate } from '@oncekey/postgres'
import { type Child, freshDatabase, startNode, waitFor } from '@oncekey/test-servers'
import { Pool } from 'pg'
import { beforeAll, describe, expect, inject, onTestFinished, test } from 'vitest'
import type { DrainingServerOptions } from '../src/programs/draining-server.ts'

type Started = Child<{ readonly port: number }>

let url: string
let pool: Pool
beforeAll(async () => {
  const database = await freshDatabase(inject('postgresUrl'))
  url = database.url
  pool = new Pool({ connectionString: url })
  await migrate(pool)
  await pool.query('create table orders (id text not null)')
  return async () => {
    await pool.end()
    await database.drop()
  }
})

/** Answers that a client retries. Fastify has a 503 of its own while it closes. */
const AGAIN = ['503 draining', '503 undefined', 'refused']

/** A process gets SIGTERM while handlers run and clients wait, as in a rolling deploy. */
describe.each(['express', 'fastify', 'node'] as const)(
  'a server on %s that gets SIGTERM',
  (adapter) => {
    test.each(['transaction', 'lease'] as const)(
      'answers what runs, and every retry finds the same result, in %s mode',
      { timeout: 240_000 },
      async (mode) => {
        const name = `${adapter} ${randomUUID()}`
        const old = await started({ adapter, mode, url, name })
        const next = await started({ adapter, mode, url, name: `next ${name}` })
        const ids = Array.from({ length: 4 }, () => randomUUID())

        const running = ids.map((id) => ask(old, id))
        await Promise.all(
          ids.map((id) => old.waitForLine((line) => line === `running ${id}`, 60_000)),
        )
        // Clients whose connection was lost, and whose retry waits in this process or the next.
        const waiting = ids.map((id) => ask(old, id))
        const elsewhere = ids.map((id) => ask(next, id))
        old.kill('SIGTERM')
        await old.waitForLine((line) => line === 'stopping', 60_000)
        const late = await ask(old, randomUUID())
        expect(AGAIN).toContain(late.text)

        const answers = await Promise.all(running)
        expect(answers.map(({ status }) => status)).toEqual(ids.map(() => 201))
        const texts = answers.map(({ text }) => text)
        expect((await Promise.all(elsewhere)).map(({ text }) => text)).toEqual(texts)
        const waited = await Promise.all(waiting)
        for (const [at, answer] of waited.entries()) {
          if (answer.status !== 201) expect(AGAIN).toContain(answer.text)
          else expect(answer.text).toBe(texts[at])
        }
        const retried = await Promise.all(ids.map((id) => ask(next, id)))
        expect(retried.map(({ text }) => text)).toEqual(texts)

        expect(await old.exited).toEqual({ code: 0, signal: null })
        const { rows } = await pool.query('select id from orders where id = any($1)', [ids])
        expect(rows).toHaveLength(ids.length)
        await waitFor(async () => (await leftOf(name)) === 0, { what: 'its sessions to be gone' })
        const { rows: attempts } = await pool.query('select from oncekey.attempts')
        expect(attempts).toEqual([])
      },
    )
  },
)

async function started(options: DrainingServerOptions): Promise<Started> {
  const program = new URL('../src/programs/draining-server.ts', import.meta.url)
  const child = await startNode<{ port: number }>(program, {
    args: [JSON.stringify(options)],
    readyTimeoutMs: 120_000,
  })
  onTestFinished(() => child.kill())
  return child
}

async function ask(
  { ready }: Started,
  id: string,
): Promise<{ readonly status: number; readonly text: string }> {
  try {
    const response = await fetch(`http://127.0.0.1:${ready.port}/`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'idempotency-key': id },
      body: JSON.stringify({ id, takesMs: 3_000 }),
    })
    const { status } = response
    const text = await response.text()
    return { status, text: status === 201 ? text : `${status} ${JSON.parse(text).code}` }
  } catch {
    return { status: 0, text: 'refused' }
  }
}

async function leftOf(name: string): Promise<number> {
  const { rows } = await pool.query('select from pg_stat_activity where application_name = $1', [
    name,
  ])
  return rows.length
}
