import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { type RedisServer, startRedis } from '@oncekey/test-servers'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, test } from 'vitest'

let server: RedisServer
let client: Redis

beforeAll(async () => {
  server = await startRedis()
  client = new Redis(server.url)
})
afterAll(async () => {
  client.disconnect()
  await server.stop()
})

test('Redis compiles the text of every .lua file, alone', async () => {
  const src = join(import.meta.dirname, '../src')
  const files = readdirSync(src, { recursive: true, encoding: 'utf8' })
  const modules = files.filter((file) => file.endsWith('lua.ts'))
  const texts = (await Promise.all(modules.map((file) => import(join(src, file))))).flatMap(
    (module) => Object.values(module as Record<string, string>),
  )
  expect(texts).toHaveLength(files.filter((file) => file.endsWith('.lua')).length)
  for (const text of texts) await client.script('LOAD', text)
})
