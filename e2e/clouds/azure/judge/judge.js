// Judges exchanges by Microsoft's own validator and Microsoft's own definitions. Usage: node judge.js MODULES SPECS. Each line of the input is
// {"id": 1, "ask": "FILE"}, with one exchange a line in the file; each is answered by one line with the violations and the number of exchanges
// that were judged. The definitions are loaded once.
'use strict';

const fs = require('fs');
const path = require('path');
const readline = require('readline');

const [modules, specs] = process.argv.slice(2);
const answer = (value) => fs.writeSync(1, JSON.stringify(value) + '\n');
// The validator writes to standard output itself; that is no answer.
process.stdout.write = () => true;
const { LiveValidator } = require(path.join(modules, 'oav/dist/lib/liveValidation/liveValidator'));

// Microsoft's definitions of Microsoft.Compute name no error answers at all, though a resource that is not there is answered by 404, who may not read by 403, and a busy service by
// 429 or 503, in Resource Manager's envelope. Such answers pass, where they have the envelope.
function isUndefinedFailure(side, error, exchange) {
  const told = exchange.responseBody?.error;
  return side === 'response' && [403, 404, 429, 503].includes(exchange.status) && /RESPONSE.*CODE/.test(error.code) && typeof told?.code === 'string' && typeof told?.message === 'string';
}

async function judge(validator, file) {
  const violations = [];
  let judged = 0;
  for (const line of fs.readFileSync(file, 'utf8').split('\n').filter((line) => line !== '')) {
    const exchange = JSON.parse(line);
    const say = (side, code, message) =>
      violations.push(JSON.stringify({ number: judged, method: exchange.method, url: exchange.url, side, code, message }));
    const result = await validator.validateLiveRequestResponse({
      liveRequest: {
        method: exchange.method,
        url: exchange.url,
        headers: exchange.requestHeaders,
        body: exchange.requestBody ?? undefined,
      },
      liveResponse: { statusCode: String(exchange.status), headers: exchange.responseHeaders, body: exchange.responseBody ?? undefined },
    });
    for (const [side, outcome] of [['request', result.requestValidationResult], ['response', result.responseValidationResult]]) {
      const broken = outcome.runtimeException ?? result.runtimeException;
      if (broken) say(side, broken.code, broken.message);
      for (const error of outcome.errors.filter((error) => !isUndefinedFailure(side, error, exchange))) say(side, error.code, `${error.message} at ${(error.pathsInPayload ?? []).join(', ')}`);
      // Without an operation, nothing was judged: that is no pass.
      const silent = !broken && outcome.errors.length === 0 && outcome.isSuccessful !== true;
      if (silent) say(side, 'NOT_JUDGED', 'the validator came to no verdict');
    }
    judged += 1;
  }
  return { violations, judged };
}

async function main() {
  const validator = new LiveValidator({
    directory: specs,
    git: { shouldClone: false },
    swaggerPathsPattern: ['specification/**/stable/**/*.json', 'specification/**/preview/**/*.json'],
    excludedSwaggerPathsPattern: [],
    isPathCaseSensitive: false,
  });
  await validator.initialize();
  const lines = readline.createInterface({ input: process.stdin, crlfDelay: Infinity });
  for await (const line of lines) {
    const { id, ask } = JSON.parse(line);
    try {
      answer({ id, value: await judge(validator, ask) });
    } catch (error) {
      answer({ id, error: `the judge failed: ${error.stack}` });
    }
  }
}

main().catch((error) => {
  process.stderr.write(`${error.stack}\n`);
  process.exit(1);
});
