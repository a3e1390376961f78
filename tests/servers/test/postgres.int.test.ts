import { existsSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  durable,
  findSystemPostgres,
  type PostgresServer,
  startPostgres,
  waitFor,
} from '../src/index.ts'
import { isRunning } from './running.ts'

const system = findSystemPostgres()

describe.each([
  { which: 'the one from npm', options: {}, skip: false },
  { which: 'the one of this system', options: { binDir: system ?? '' }, skip: !system },
])('a Postgres of our own, $which', ({ options, skip }) => {
  if (skip) {
    test.skip('needs an installed Postgres: there is none here')
    return
  }
  let server: PostgresServer
  beforeAll(async () => {
    server = await startPostgres({ ...options, settings: { ...durable, work_mem: '5MB' } })
  })
  afterAll(() => server.stop())

  test('runs with the given settings, and not as root', async () => {
    expect(
      await rows(server.url, `SELECT name, setting FROM pg_settings WHERE name = ANY($1)`, [
        ['fsync', 'full_page_writes', 'max_connections', 'synchronous_commit', 'work_mem'],
      ]),
    ).toEqual([
      { name: 'fsync', setting: 'on' },
      { name: 'full_page_writes', setting: 'on' },
      { name: 'max_connections', setting: '200' },
      { name: 'synchronous_commit', setting: 'on' },
      { name: 'work_mem', setting: '5120' },
    ])
    expect(statSync(server.dataDir).uid).not.toBe(0)
  })

  test('keeps only committed rows through a crash', async () => {
    const url = await server.createDatabase()
    await rows(url, 'CREATE TABLE kept (id int)')
    await rows(url, 'INSERT INTO kept VALUES (1)')
    const open = new pg.Client(url)
    await open.connect()
    const lost = new Promise((resolve) => open.on('error', resolve))
    await open.query('BEGIN')
    await open.query('INSERT INTO kept VALUES (2)')

    const pid = server.pid()
    await server.crash()
    await lost
    expect(isRunning(pid)).toBe(false)
    expect(() => server.pid()).toThrow('not running')
    await expect(rows(url, 'SELECT 1')).rejects.toMatchObject({ code: 'ECONNREFUSED' })

    await server.restart()
    expect(server.pid()).not.toBe(pid)
    expect(server.log()).toContain('automatic recovery in progress')
    expect(await rows(url, 'SELECT id FROM kept')).toEqual([{ id: 1 }])
  })

  test('restarts without a crash', async () => {
    const pid = server.pid()
    await server.restart()
    expect(isRunning(pid)).toBe(false)
    expect(await rows(server.url, 'SELECT 1 AS one')).toEqual([{ one: 1 }])
  })

  test('restarts after somebody else has killed it', async () => {
    const pid = server.pid()
    process.kill(pid, 'SIGKILL')
    await waitFor(() => !isRunning(pid), { what: 'Postgres to be gone' })
    await server.restart()
    expect(await rows(server.url, 'SELECT 1 AS one')).toEqual([{ one: 1 }])
  })

  test('refuses clients without the password', async () => {
    const url = Object.assign(new URL(server.url), { password: 'guess' }).href
    await expect(rows(url, 'SELECT 1')).rejects.toMatchObject({ code: '28P01' })
  })
})

test('servers started together do not conflict, and leave nothing behind, crashed or not', async () => {
  const servers = await Promise.all([startPostgres(), startPostgres()])
  const [stopped, crashed] = servers
  expect(stopped.port).not.toBe(crashed.port)
  const pids = (await Promise.all(servers.map(processesOf))).flat()
  expect(pids.length).toBeGreaterThan(6)
  await crashed.crash()
  for (const server of servers) {
    await server.stop()
    await server.stop()
    expect(existsSync(dirname(server.dataDir))).toBe(false)
  }
  expect(pids.filter(isRunning)).toEqual([])
  await expect(stopped.restart()).rejects.toThrow('stopped for good')
})

test('a setting that Postgres does not know causes an error with its log', async () => {
  const wrong = startPostgres({ settings: { no_such_setting: '1' } })
  await expect(wrong).rejects.toThrow('no_such_setting')
})

async function processesOf(server: PostgresServer): Promise<number[]> {
  const children = await rows<{ pid: number }>(
    server.url,
    'SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()',
  )
  return [server.pid(), ...children.map(({ pid }) => pid)]
}

async function rows<Row extends pg.QueryResultRow>(
  url: string,
  text: string,
  values: unknown[] = [],
): Promise<Row[]> {
  const client = new pg.Client(url)
  await client.connect()
  try {
    return (await client.query<Row>(text, values)).rows
  } finally {
    await client.end()
  }
}
