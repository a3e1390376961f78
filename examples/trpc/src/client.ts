import { createTRPCClient, httpLink } from '@trpc/client'
import type { router } from './app.ts'

/**
 * `httpLink` and not `httpBatchLink`: that sends several mutations as one request, so one key would
 * cover whichever happened to be batched together.
 */
export const clientOf = (url: string, account: string) =>
  createTRPCClient<typeof router>({
    links: [
      httpLink({
        url: `${url}/trpc`,
        headers: ({ op }) => ({
          'x-account': account,
          ...(op.type === 'mutation' && { 'idempotency-key': String(op.context.key) }),
        }),
      }),
    ],
  })
