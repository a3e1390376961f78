import { idempotency } from '@oncekey/web'
import { store } from './database.ts'

export const once = idempotency({
  store,
  scope: (request) => request.headers.get('x-account') ?? '', // from your authentication
})
