import { readFileSync } from 'node:fs'
import { cpus, loadavg, totalmem } from 'node:os'
import type { BenchResult } from './run-benches.ts'

/** Where a measurement ran, and with which versions. */
export interface Machine {
  readonly date: string
  readonly processors: number
  readonly processor: string
  readonly memoryGiB: number
  readonly platform: string
  readonly node: string
  /** Runnable processes before the run: above 0.5, other work was measured too. */
  readonly loadBefore: number
  readonly packages: Readonly<Record<string, string>>
}

export function machine(): Machine {
  return {
    date: new Date().toISOString().slice(0, 10),
    processors: cpus().length,
    processor: cpus()[0]?.model.trim() ?? 'unknown',
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    platform: `${process.platform} ${process.arch}`,
    node: process.version,
    loadBefore: loadavg()[0] ?? 0,
    packages: Object.fromEntries(PACKAGES.map((name) => [name, versionOf(name)])),
  }
}

export function machineLines(machine: Machine, results: readonly BenchResult[]): string[] {
  const postgres = new Set(results.flatMap(({ report }) => report.postgresVersion ?? []))
  const versions = Object.entries(machine.packages).map(([name, version]) => `${name} ${version}`)
  return [
    `- ${machine.date}, ${machine.platform}, ${machine.processors} × ${machine.processor}, ${machine.memoryGiB} GiB`,
    `- Node ${machine.node}${[...postgres].map((version) => `, PostgreSQL ${version}`).join('')}`,
    `- ${versions.join(', ')}`,
    `- load average before the run: ${machine.loadBefore.toFixed(2)}`,
  ]
}

const PACKAGES = [
  '@oncekey/core',
  '@oncekey/express',
  '@oncekey/fastify',
  '@oncekey/koa',
  '@oncekey/nestjs',
  '@oncekey/outbox',
  '@oncekey/postgres',
  '@oncekey/redis',
  '@oncekey/saga',
  '@oncekey/webhooks',
  'express',
  'fastify',
  'ioredis',
  'koa',
  '@nestjs/core',
  'pg',
  '@node-idempotency/core',
  '@node-idempotency/storage-adapter-redis',
  'express-idempotency',
  'express-idempotency-redis-adapter',
  '@aws-lambda-powertools/idempotency',
  '@dbos-inc/dbos-sdk',
  'graphile-worker',
  'pg-boss',
  'pg-transactional-outbox',
]

/**
 * The version of a package that is measured. It is read from the package's folder, because not
 * every package exports its manifest.
 */
export function versionOf(name: string): string {
  const manifest = new URL(`../node_modules/${name}/package.json`, import.meta.url)
  return JSON.parse(readFileSync(manifest, 'utf8')).version
}
