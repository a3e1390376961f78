/** The options of a worker's process, as JSON in its first argument. */
export interface WorkerOptions {
  readonly databaseUrl: string
  readonly work: 'migrate' | 'purge'
  readonly schemas: readonly string[]
}
