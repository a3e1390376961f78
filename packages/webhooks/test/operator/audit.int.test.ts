import { actTarget } from '@oncekey/core'
import { postgresStore } from '@oncekey/postgres'
import { expect, test } from 'vitest'
import { webhooksDatabase } from '../servers/webhooks-database.ts'

const database = webhooksDatabase()
const by = { actor: 'maria@shop.example', note: 'ticket 4711' }
const url = 'https://receiver.example/hooks'

async function trail(target: string) {
  const { operations } = postgresStore({ client: database.pool() })
  return (await operations?.list({ target }, { limit: 50 }))?.items ?? []
}

test('every change of an endpoint is in the audit trail, and no secret is', async () => {
  const { endpoints } = database.hooks()
  const { endpoint, secret } = await endpoints.register({ url, types: ['*'] }, by)
  const { id } = endpoint
  await endpoints.update(id, { types: ['order.*'], headers: { 'x-key': 'hidden' } }, by)
  await endpoints.pause(id, 'they asked', { actor: by.actor })
  await endpoints.resume(id, by)
  const rotated = await endpoints.rotateSecret(id, { overlapMs: 0 }, by)
  await endpoints.disable(id, undefined, by)
  await endpoints.enable(id, by)
  await endpoints.delete(id, by)
  expect(await endpoints.delete(id, by)).toBeUndefined()
  const entries = await trail(actTarget('endpoint', id))
  expect(entries.map(({ act }) => act).reverse()).toEqual([
    'endpoints.register',
    'endpoints.update',
    'endpoints.pause',
    'endpoints.resume',
    'endpoints.rotate-secret',
    'endpoints.disable',
    'endpoints.enable',
    'endpoints.delete',
  ])
  expect(new Set(entries.map(({ actor }) => actor))).toEqual(new Set([by.actor]))
  expect(entries.at(-3)?.note).toBe('they asked')
  expect(entries.at(-2)?.detail).toMatchObject({
    before: { types: ['*'] },
    after: { types: ['order.*'], headers: ['x-key'] },
  })
  const text = JSON.stringify(entries)
  for (const hidden of [secret, rotated?.secret ?? '', 'hidden']) expect(text).not.toContain(hidden)
})

test('a change whose entry is refused is undone with it', async () => {
  const { endpoints } = database.hooks()
  const { endpoint } = await endpoints.register({ url, types: ['*'] })
  const { id } = endpoint
  await database.query(
    "alter table oncekey.operations add constraint only_known check (actor <> 'forged')",
  )
  const forged = { actor: 'forged' }
  const acts = [
    () => endpoints.register({ url: 'https://other.example/', types: ['*'] }, forged),
    () => endpoints.update(id, { url: 'https://other.example/' }, forged),
    () => endpoints.pause(id, undefined, forged),
    () => endpoints.delete(id, forged),
    () => endpoints.rotateSecret(id, {}, forged),
  ]
  for (const act of acts) await expect(act()).rejects.toThrow()
  expect(await endpoints.list()).toEqual([endpoint])
  expect(await endpoints.secrets(id)).toHaveLength(1)
  await database.query('alter table oncekey.operations drop constraint only_known')
})
