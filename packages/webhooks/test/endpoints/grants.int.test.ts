import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { deadLetters } from '@oncekey/outbox'
import { webhooks } from '@oncekey/webhooks'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startReceiver } from '../servers/receiver.ts'
import { eventOf, fanOut, LOCAL, webhooksDatabase } from '../servers/webhooks-database.ts'

const role = `hooks_${randomUUID().slice(0, 8)}`
const database = webhooksDatabase()

beforeAll(async () => {
  await database.query(`create role ${role} login password 'secret'`)
  const page = await readFile(new URL('../../../../docs/grants.md', import.meta.url), 'utf8')
  const [, section = ''] = page.split(/^## Webhooks\n/m)
  const [, sql = ''] = /```sql\n(.*?)```/s.exec(section) ?? []
  expect(sql).not.toBe('')
  await database.query(sql.replaceAll(/\bhooks;/g, `${role};`))
})

// Runs before the database is dropped, because the role outlives it.
afterAll(async () => {
  await database.query(`drop owned by ${role}; drop role ${role}`)
})

test('webhooks need no more than the grants in docs/grants.md', async () => {
  const url = new URL(database.url())
  url.username = role
  url.password = 'secret'
  const pool = database.pool({ connectionString: url.href })
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
  await hooks.endpoints.rotateSecret(endpoint.id)
  await hooks.endpoints.delete(endpoint.id)
  await hooks.purge({})
})
