export type { IdempotencyOptions, RouteIdempotency } from './coverage/options.ts'
export {
  type IdempotencyPlugin,
  idempotency,
  // biome-ignore lint/style/noDefaultExport: Fastify plugins are default exports; `register(import(…))` takes nothing else
  idempotency as default,
  type Once,
} from './plugin/plugin.ts'
