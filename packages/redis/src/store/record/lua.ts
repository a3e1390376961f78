// Written by `npx -y pnpm@12 lua` from the .lua files of this folder: change those.
import { ENDED_CHANNEL } from './endings.ts'
import { ID_IN_RECORD_KEY } from './record-keys.ts'

/** `announce-end.lua` */
export const announceEndLua: string = `
redis.pcall('PUBLISH', '${ENDED_CHANNEL}', string.match(KEYS[1], '${ID_IN_RECORD_KEY}'))
`

/** `tell.lua` */
export const tellLua: string = `
redis.call('HDEL', KEYS[1], '')
redis.call('HSET', KEYS[1], 'told', '1')
`
