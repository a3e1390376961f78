import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { Messages } from '../../src/telemetry/channels.ts'

/** Collects what is published on a channel while something runs. */
export async function published<Name extends keyof Messages>(
  name: Name,
  happens: () => unknown,
): Promise<Messages[Name][]> {
  const messages: Messages[Name][] = []
  const listen = (message: unknown) => void messages.push(message as Messages[Name])
  subscribe(name, listen)
  try {
    await happens()
  } finally {
    unsubscribe(name, listen)
  }
  return messages
}

/** Collects our process warnings while something runs. */
export async function warned(happens: () => unknown): Promise<string[]> {
  const messages: string[] = []
  const listen = (warning: Error) => {
    if (warning.name === 'OncekeyWarning') messages.push(warning.message)
  }
  // The runtime's own listener would print the warnings.
  const printing = process.listeners('warning')
  process.removeAllListeners('warning')
  process.on('warning', listen)
  try {
    await happens()
    // Warnings are emitted on the next tick.
    await new Promise((resolve) => setImmediate(resolve))
  } finally {
    process.off('warning', listen)
    for (const listener of printing) process.on('warning', listener)
  }
  return messages
}
