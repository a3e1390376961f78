export type { IdempotencyOptions, RouteIdempotency } from './options.ts'
// biome-ignore lint/style/noDefaultExport: Fastify plugins are default exports; `register(import(…))` takes nothing else
export { type IdempotencyPlugin, idempotency as default, idempotency, type Once } from './plugin.ts'
