import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { type Database, freshDatabase, givenOrOwn, startRedis } from '@oncekey/test-servers'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { bareEnv, ended, oncekey } from './oncekey.ts'

const packages = fileURLToPath(new URL('../../', import.meta.url))
const tsx = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href
const folders: string[] = []
let database: Database
let redis: Awaited<ReturnType<typeof givenOrOwn<Awaited<ReturnType<typeof startRedis>>>>>

beforeAll(async () => {
  database = await freshDatabase(inject('postgresUrl'))
  redis = await givenOrOwn('REDIS_URL', startRedis)
})
afterAll(async () => {
  await database.drop()
  await redis.stop()
  for (const folder of folders) rmSync(folder, { recursive: true })
})

/**
 * For each package that a user's project installs: its folder in this workspace, to which the
 * project gets a link.
 */
const INSTALLED: Readonly<Record<string, string>> = {
  '@oncekey/nestjs': 'nestjs',
  '@oncekey/express': 'express',
  '@oncekey/fastify': 'fastify',
  '@oncekey/web': 'web',
  '@oncekey/koa': 'koa',
  '@oncekey/postgres': 'postgres',
  '@oncekey/redis': 'redis',
  '@oncekey/core': 'core',
  express: 'express/node_modules/express',
  fastify: 'fastify/node_modules/fastify',
  hono: 'web/node_modules/hono',
  koa: 'koa/node_modules/koa',
  '@hono/node-server': 'web/node_modules/@hono/node-server',
  '@nestjs/common': 'nestjs/node_modules/@nestjs/common',
  '@nestjs/core': 'nestjs/node_modules/@nestjs/core',
  pg: 'postgres/node_modules/pg',
  ioredis: 'redis/node_modules/ioredis',
}

function project(manifest: object, hasSource = false): string {
  const folder = mkdtempSync(join(tmpdir(), 'oncekey-init-'))
  folders.push(folder)
  writeFileSync(join(folder, 'package.json'), JSON.stringify(manifest))
  if (hasSource) mkdirSync(join(folder, 'src'))
  for (const [name, from] of Object.entries(INSTALLED)) {
    const to = join(folder, 'node_modules', name)
    mkdirSync(dirname(to), { recursive: true })
    symlinkSync(join(packages, from), to)
  }
  return folder
}

const PROJECTS = [
  [
    'express',
    'postgres',
    { type: 'module', dependencies: { express: '5', pg: '8' } },
    'idempotency.js',
  ],
  [
    'fastify',
    'redis',
    { dependencies: { fastify: '5', ioredis: '5' }, devDependencies: { typescript: '5' } },
    'src/idempotency.mts',
  ],
  [
    'hono',
    'memory',
    { type: 'module', devDependencies: { hono: '4', typescript: '5' } },
    'idempotency.ts',
  ],
  [
    'nest',
    'postgres',
    { dependencies: { '@nestjs/core': '12', '@nestjs/platform-express': '12', pg: '8' } },
    'src/idempotency.mts',
  ],
  ['koa', 'postgres', { dependencies: { koa: '3', pg: '8' } }, 'idempotency.mjs'],
  [
    'next',
    'memory',
    { dependencies: { next: '16' }, devDependencies: { typescript: '5' } },
    'src/idempotency.mts',
  ],
] as const

test.each(PROJECTS)(
  '%s on %s: what it writes runs, and its test passes',
  async (framework, store, manifest, file) => {
    const folder = project(manifest, file.startsWith('src/'))
    const ran = await oncekey(['init', '--dir', folder, '--json'])
    expect(ran).toMatchObject({ code: 0, stderr: '' })
    const { files, ...said } = JSON.parse(ran.stdout)
    expect(said).toMatchObject({ framework, store, written: true })
    expect(files.map(({ path }: { path: string }) => path)).toEqual([
      join(folder, file),
      join(folder, file.replace('idempotency.', 'idempotency.test.')),
    ])
    expect(said.next[0]).toMatch(/^npm install @oncekey\//)
    // The decorators of Nest need it, in the project of a user too.
    const compilerOptions = { experimentalDecorators: true }
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions }))
    const child = spawn(process.execPath, ['--import', tsx, '--test', files[1].path], {
      cwd: folder,
      env: { ...bareEnv(), DATABASE_URL: database.url, REDIS_URL: redis.url() },
    })
    const tested = await ended(child)
    expect(tested.code, tested.stdout + tested.stderr).toBe(0)
    expect(tested.stdout).toMatch(/pass 1\b/)
  },
)

test('nothing is written over a file that is there, and --dry-run writes nothing', async () => {
  const folder = project({ type: 'module', dependencies: { express: '5' } })
  const dry = await oncekey(['init', '--dir', folder, '--dry-run'])
  expect(dry.stdout).toContain('memoryStore()')
  writeFileSync(join(folder, 'idempotency.js'), 'mine')
  const refused = await oncekey(['init', '--dir', folder])
  expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('nothing was written') })
  expect(readFileSync(join(folder, 'idempotency.js'), 'utf8')).toBe('mine')
})

test('a project of which nothing is known is told what to write', async () => {
  const without = await oncekey(['init', '--dir', project({ dependencies: {} })])
  expect(without).toMatchObject({ code: 2, stderr: expect.stringContaining('--framework') })
  const nowhere = await oncekey(['init', '--dir', join(tmpdir(), 'oncekey-nowhere')])
  expect(nowhere).toMatchObject({ code: 2, stderr: expect.stringContaining('ENOENT') })
})
