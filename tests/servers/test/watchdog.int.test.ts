import { existsSync } from 'node:fs'
import { expect, test } from 'vitest'
import { type Exit, startNode, waitFor } from '../src/index.ts'
import { isRunning } from './running.ts'

const ends: { way: string; args: string[]; signal?: NodeJS.Signals; exit: Partial<Exit> }[] = [
  {
    way: 'SIGKILL',
    args: ['postgres', 'nats', 'redis'],
    signal: 'SIGKILL',
    exit: { signal: 'SIGKILL' },
  },
  { way: 'SIGTERM', args: [], signal: 'SIGTERM', exit: { signal: 'SIGTERM' } },
  { way: 'SIGINT', args: [], signal: 'SIGINT', exit: { signal: 'SIGINT' } },
  { way: 'an error nobody catches', args: ['throw'], exit: { code: 1 } },
]

test.each(ends)('the servers of a process are gone after $way', async ({ args, signal, exit }) => {
  const holder = await startNode<{ pids: number[]; folders: string[] }>(
    new URL('./holds-servers.ts', import.meta.url),
    { args },
  )
  const { pids, folders } = holder.ready
  if (signal) holder.kill(signal)
  expect(await holder.exited).toMatchObject(exit)
  await waitFor(() => !pids.some(isRunning), { what: `${pids.join(' and ')} to be gone` })
  await waitFor(() => !folders.some(existsSync), { what: 'the folders to be gone' })
})
