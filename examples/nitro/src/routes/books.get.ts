import { defineHandler } from 'nitro'
import { books } from '../place-order.ts'

export default defineHandler(() => books())
