import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Database, freshDatabase, type RedisServer, startRedis } from '@oncekey/test-servers'
import type { Pool } from 'pg'
import { afterAll, beforeAll, expect, inject, test, vi } from 'vitest'
import { watchConnections } from '../src/running/connections.ts'
import { moduleToRun } from '../src/running/module-to-run.ts'
import { type Reader, reader, SECRET } from '../src/running/reader.ts'
import { type Served, startShop } from '../src/running/serving.ts'
import { endWhatItMade, useWhatItMade } from '../src/running/use.ts'
import { makeWorld, type World } from '../src/running/world.ts'
import { workspace } from '../src/site.ts'
import { FILES, GIVEN } from '../src/snippet-context.ts'
import { homeOf, pagesWithSnippets, type Snippet, skipped, snippetsOf } from '../src/snippets.ts'

let redis: RedisServer
let world: World
let shop: Served
const folders: string[] = []

beforeAll(async () => {
  redis = await startRedis()
  world = await makeWorld(inject('postgresUrl'))
  shop = await startShop()
  // What a browser has; Node has it only behind a flag.
  const kept = new Map<string, string>()
  vi.stubGlobal('localStorage', {
    getItem: (name: string) => kept.get(name) ?? null,
    setItem: (name: string, value: string) => kept.set(name, value),
    removeItem: (name: string) => kept.delete(name),
  })
})
afterAll(async () => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
  await shop?.close()
  await redis?.stop()
  await world?.database.drop()
})

const pages = pagesWithSnippets()
  .map((page) => snippetsOf(page).filter((snippet) => skipped(snippet) === undefined))
  .filter((snippets) => snippets.length > 0)

test.each(pages.map((snippets) => [snippets[0]?.page ?? '', snippets] as const))(
  'every snippet of %s runs',
  { timeout: 60_000 },
  async (page, snippets) => {
    const database = await freshDatabase(inject('postgresUrl'), { template: world.database.name })
    const one = reader(database.url, redis.url, shop.url, world.endpointId)
    const folderAt = new Map([...new Set(snippets.map(homeOf))].map((at) => [at, folderIn(at)]))
    try {
      for (const snippet of snippets) {
        const folder = folderAt.get(homeOf(snippet)) as string
        await run(snippet, folder, one, database).catch((error) => {
          throw new Error(`${page}:${snippet.line}`, { cause: error })
        })
      }
    } finally {
      await one.close()
      await database.drop()
    }
  },
)

async function run(
  snippet: Snippet,
  folder: string,
  one: Reader,
  database: Database,
): Promise<void> {
  Object.assign(globalThis, { [GIVEN]: one.given })
  one.read(snippet.text)
  setEnvironment(database.url)
  const failures: unknown[] = []
  const tell = (message: unknown, channel: string | symbol) => {
    failures.push([channel, message])
  }
  for (const channel of FAILURES) subscribe(channel, tell)
  const before = new Set(process.listeners('SIGTERM'))
  const file = join(folder, `snippet-${snippet.line}.ts`)
  writeFileSync(file, withOurAddresses(moduleToRun(snippet), folder))
  const closeConnections = watchConnections(one.given('pool', '') as Pool)
  try {
    const exported = await import(file)
    try {
      await useWhatItMade(exported, snippet.text, one)
    } finally {
      const ends = process.listeners('SIGTERM').filter((end) => !before.has(end))
      for (const end of ends) process.off('SIGTERM', end)
      await endWhatItMade(exported, ends as (() => unknown)[])
    }
  } finally {
    await closeConnections()
    for (const channel of FAILURES) unsubscribe(channel, tell)
  }
  expect(failures).toEqual([])
}

/** The channels on which what would be a line of the log is told. */
const FAILURES = [
  'error',
  'relay-error',
  'delivery',
  'webhook-error',
  'saga-error',
  'saga-alert',
].map((name) => `oncekey:${name}`)

function folderIn(home: string): string {
  const folder = mkdtempSync(join(workspace, home, '.running-'))
  folders.push(folder)
  const compilerOptions = { experimentalDecorators: true, emitDecoratorMetadata: true }
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions }))
  for (const [name, text] of Object.entries(FILES)) writeFileSync(join(folder, name), text)
  writeFileSync(join(folder, 'secrets'), `${SECRET}\n`)
  return folder
}

function setEnvironment(databaseUrl: string): void {
  const { hostname, port, username, password, pathname } = new URL(databaseUrl)
  Object.assign(process.env, {
    DATABASE_URL: databaseUrl,
    PGHOST: hostname,
    PGPORT: port,
    PGUSER: username,
    PGPASSWORD: password,
    PGDATABASE: pathname.slice(1),
    REDIS_URL: redis.url,
    PORT: '0',
    DASHBOARD_PASSWORD: 'secret',
    SEAL_KEY: Buffer.alloc(32, 1).toString('base64'),
    WEBHOOK_SECRET: SECRET,
    STRIPE_WEBHOOK_SECRET: SECRET,
  })
}

/** Addresses and folders of ours instead of those that the page shows. */
const withOurAddresses = (text: string, folder: string) =>
  text
    .replaceAll("'redis://127.0.0.1'", `'${redis.url}'`)
    .replaceAll("host: '127.0.0.1', port: 6379", `host: '127.0.0.1', port: ${redis.port}`)
    .replaceAll("'./data'", "'memory://'") // a folder takes a minute on a slow disk
    .replaceAll('/var/lib/shop', folder)
    .replaceAll("fetch('/", `fetch('${shop.url}/`)
    .replaceAll("'https://orders.example'", `'${shop.url}'`)
