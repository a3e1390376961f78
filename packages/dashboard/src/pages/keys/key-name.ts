import type { KeyName } from '@oncekey/core'
import { BadInput, type Described } from '../../routing/route.ts'

export const NAME: Readonly<Record<string, Described>> = {
  namespace: { about: 'The namespace: `http` where it was not chosen.', required: true },
  scope: {
    about: 'What your `scope` function returned; empty where all share one.',
    required: true,
  },
  key: { about: 'What the client sent.', required: true },
}

export function nameOf(field: (name: string) => string): KeyName {
  const name = { namespace: field('namespace'), scope: field('scope'), key: field('key') }
  if (name.namespace === '' || name.key === '') {
    throw new BadInput('Say which key: `namespace`, `scope` and `key`.')
  }
  return name
}
