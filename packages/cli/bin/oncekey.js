#!/usr/bin/env node
import { main } from 'oncekey'

await main(process.argv.slice(2))
