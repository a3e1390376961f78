// Without this import TypeScript finds no module to augment.
import type {} from 'vitest'
import type { TestProject } from 'vitest/node'
import { startPostgres } from './postgres.ts'

/** The values for `inject('postgresUrl')` in tests. */
export interface SharedServers {
  /** One Postgres for the whole run; create a `freshDatabase` on it. */
  postgresUrl: string
}

declare module 'vitest' {
  export interface ProvidedContext extends SharedServers {}
}

/** Vitest's globalSetup. */
export default async function startSharedServers(
  project: TestProject,
): Promise<() => Promise<void>> {
  // Three workers, each with several pools, use it at once.
  const postgres = await startPostgres({ settings: { max_connections: '400' } })
  project.provide('postgresUrl', postgres.url)
  return postgres.stop
}
