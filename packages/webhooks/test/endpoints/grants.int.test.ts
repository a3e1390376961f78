import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { deadLetters } from '@oncekey/outbox'
import { webhooks } from '@oncekey/webhooks'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startReceiver } from '../servers/receiver.ts'
import { eventOf, fanOut, LOCAL, webhooksDatabase } from '../servers/webhooks-database.ts'

const role = `hooks_${randomUUID().slice(0, 8)}`
const metrics = `metrics_${randomUUID().slice(0, 8)}`
const database = webhooksDatabase()

beforeAll(async () => {
  const page = await readFile(new URL('../../../../docs/grants.md', import.meta.url), 'utf8')
  const grant = async (to: string, heading: string, having: RegExp) => {
    await database.query(`create role ${to} login password 'secret'`)
    const section = page.split(/^## /m).find((each) => each.startsWith(`${heading}\n`)) ?? ''
    const grants = [...section.matchAll(/^grant .*;$/gm)].map(([sql]) => sql)
    const sql = grants.filter((each) => having.test(each)).join('\n')
    expect(sql).not.toBe('')
    await database.query(sql.replaceAll(/ to \w+;/g, ` to ${to};`))
  }
  await grant(role, 'Webhooks', /./)
  await grant(metrics, 'Metrics', /webhook_/)
})

// Runs before the database is dropped, because the roles outlive it.
afterAll(async () => {
  for (const each of [role, metrics]) {
    await database.query(`drop owned by ${each}; drop role ${each}`)
  }
})

function poolOf(name: string) {
  const url = new URL(database.url())
  url.username = name
  url.password = 'secret'
  return database.pool({ connectionString: url.href })
}

test('webhooks need no more than the grants in docs/grants.md', async () => {
  const pool = poolOf(role)
  const hooks = webhooks({
    client: pool,
    ...LOCAL,
    schedule: [],
  })
  const receiver = await startReceiver(({ body }, response) => {
    response.writeHead(body.includes('bad') ? 422 : 204).end()
  })
  const { endpoint } = await hooks.endpoints.register({ url: receiver.url, types: ['*'] })
  await fanOut(hooks, pool, [eventOf(), eventOf({ data: { id: 'bad' } })])
  const worker = hooks.createWorker()
  expect(await worker.deliverOnce()).toBe(2)
  const letters = deadLetters(hooks.deadLetters)
  const { items } = await letters.list()
  expect(items).toHaveLength(1)
  await letters.redrive({ ids: [items[0]?.id ?? ''] })
  expect(await worker.deliverOnce()).toBe(1)
  expect((await letters.stats()).depth).toBe(1)
  // What the gauges of telemetry ask needs less.
  const watched = webhooks({ client: poolOf(metrics), ...LOCAL })
  expect((await deadLetters(watched.deadLetters).stats()).depth).toBe(1)
  await hooks.endpoints.rotateSecret(endpoint.id)
  await hooks.endpoints.delete(endpoint.id)
  await hooks.purge({})
})
