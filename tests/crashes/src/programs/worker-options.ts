/** What a worker's process is started with, as JSON in its first argument. */
export interface WorkerOptions {
  readonly databaseUrl: string
  readonly work: 'migrate' | 'purge'
  readonly schemas: readonly string[]
}
