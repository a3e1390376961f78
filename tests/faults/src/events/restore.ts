import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { findSystemPostgres } from '@oncekey/test-servers'
import { Client, Pool } from 'pg'
import type { Random } from '../random.ts'
import type { Wire } from '../wire.ts'
import { marksOnRecord } from './books.ts'

/** Restores a database to an earlier state while all processes keep running. */
export interface Restorable {
  readonly url: string
  /** The proxies of the producers, which reach the restored database at once. */
  readonly first: readonly Wire[]
  /** The proxies of relays and workers, which reach the restored database some time later. */
  readonly later: readonly Wire[]
  /** What the dump lacked, by id and by mark. */
  readonly lost: Set<string>
}

/** Restores a dump beside its database and swaps the two at one instant. */
export async function restoreDump(
  { url, first, later, lost }: Restorable,
  random: Random,
): Promise<void> {
  const programs = findSystemPostgres() ?? ''
  const folder = mkdtempSync(join(tmpdir(), 'oncekey-dump-'))
  try {
    const file = join(folder, 'dump')
    await run(join(programs, 'pg_dump'), ['--format=custom', '--compress=0', `--file=${file}`, url])
    await operator(url, 'drop database if exists restored')
    await operator(url, 'create database restored template template0')
    const into = named(url, 'restored')
    await run(join(programs, 'pg_restore'), ['--no-owner', `--dbname=${into}`, file])
    await sleep(random.between(0, 1_000))
    for (const wire of [...first, ...later]) {
      wire.refuse()
      wire.cut()
    }
    const own = new URL(url).pathname.slice(1)
    await operator(
      url,
      `alter database ${own} allow_connections false`,
      `select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = '${own}'`,
      `alter database ${own} rename to replaced`,
      'alter database replaced allow_connections true',
      `alter database restored rename to ${own}`,
    )
    const kept = await marksIn(url)
    const had = await marksIn(named(url, 'replaced'))
    for (const mark of had) if (!kept.has(mark)) lost.add(mark)
    for (const wire of first) await wire.accept()
    await sleep(random.between(0, 1_500))
    for (const wire of later) await wire.accept()
    await operator(url, 'drop database replaced with (force)')
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

async function operator(url: string, ...statements: string[]): Promise<void> {
  const client = new Client({ connectionString: named(url, 'template1') })
  client.on('error', () => {})
  await client.connect()
  try {
    for (const statement of statements) await client.query(statement)
  } finally {
    await client.end()
  }
}

async function marksIn(connectionString: string): Promise<Set<string>> {
  const pool = new Pool({ connectionString, max: 1 })
  pool.on('error', () => {})
  try {
    return await marksOnRecord(pool)
  } finally {
    await pool.end()
  }
}

function named(url: string, name: string): string {
  return Object.assign(new URL(url), { pathname: `/${name}` }).href
}

const run = promisify(execFile)
