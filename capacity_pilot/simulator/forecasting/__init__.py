"""The pilot's quantile forecasts beside those of well-known models, on the same windows.

What is forecast is the mean demand of windows of 10 s, each from the newest window the pilot knew
of when it forecast it, which is the telemetry's lag and the horizon earlier. All models know
demand up to the same window, and are scored on the same ones:

- *naive*: the newest known window;
- *seasonal-naive*: the minute a day before;
- *holt-winters* (statsmodels; statsforecast has no season of more than 24 steps), *auto-ets* and
  *mstl* (statsforecast) work on minutes: fitted at midnight to the last three days' one-minute
  means, then moved on minute by minute with what was fitted. A window is forecast as its minute.

A model's quantiles are its point forecast and the quantiles of its own errors the day before, so
what differs is the forecast. The pilot's are those it decides by.
"""
